//! Notices of diagnoses, worded when the diagnosis becomes certain.

use std::{net::SocketAddr, sync::Arc};

use super::{advice, evidence};
use crate::{
    diagnosis::Diagnosis,
    tracker::{GroupName, Notice},
};

/// Words what [`crate::tracker::Tracker::new_certainties`] returns.
pub fn diagnosis_notices(new: &[(Option<Arc<GroupName>>, Diagnosis)]) -> Vec<Notice> {
    new.iter().map(|(name, diagnosis)| notice(name.as_deref(), diagnosis)).collect()
}

/// `name`: None for the overflow group.
fn notice(name: Option<&GroupName>, diagnosis: &Diagnosis) -> Notice {
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
