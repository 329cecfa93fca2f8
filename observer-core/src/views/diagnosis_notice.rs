//! Notices of diagnoses, worded when the diagnosis becomes certain.

use std::net::SocketAddr;

use super::{advice, evidence};
use crate::{
    diagnosis::Diagnosis,
    tracker::{GroupName, Notice},
};

/// `name`: None for the overflow group.
pub fn diagnosis_notice(name: Option<&GroupName>, diagnosis: &Diagnosis) -> Notice {
    let title = match name {
        None => "others".into(),
        Some(GroupName { process, remote, port }) => {
            let process = process.as_deref().unwrap_or("?");
            format!("{process} to {}", SocketAddr::new(*remote, *port))
        }
    };
    let message = format!("{title}: {}. {}", evidence::sentence(&diagnosis.evidence), advice::sentence(diagnosis));
    Notice { kind: "diagnosis", message }
}
