//! The application protocol of a group, as far as it was recognised.

use tcp_reuse_watch_ebpf::SEVERAL_APPLICATIONS;

use crate::model::Application;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupApplication {
    #[default]
    Unknown,
    One(Application),
    Several,
}

impl GroupApplication {
    /// Decodes the application in a group's counters.
    pub(crate) fn of(number: u64) -> Self {
        match Application::of(number) {
            _ if number == SEVERAL_APPLICATIONS => Self::Several,
            Application::Unknown => Self::Unknown,
            application => Self::One(application),
        }
    }

    /// Combines two groups. Unrecognised connections contradict no protocol.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, known) | (known, Self::Unknown) => known,
            (one, another) if one == another => one,
            _ => Self::Several,
        }
    }

    /// None if nothing was recognised, or several protocols.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::One(application) => application.name(),
            Self::Unknown | Self::Several => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_number_is_one_application_or_several() {
        assert_eq!(GroupApplication::of(Application::Redis as u64).name(), Some("redis"));
        assert_eq!([0, 254, u64::MAX].map(GroupApplication::of), [GroupApplication::Unknown; 3]);
        assert_eq!(
            (GroupApplication::of(SEVERAL_APPLICATIONS), GroupApplication::Several.name()),
            (GroupApplication::Several, None)
        );
    }

    #[test]
    fn groups_in_agreement_speak_one_application_and_others_several() {
        let [http, redis] = [Application::Http1, Application::Redis].map(GroupApplication::One);
        for (one, other, together) in [
            (GroupApplication::Unknown, GroupApplication::Unknown, GroupApplication::Unknown),
            (GroupApplication::Unknown, http, http),
            (http, http, http),
            (http, redis, GroupApplication::Several),
            (GroupApplication::Several, http, GroupApplication::Several),
            (GroupApplication::Several, GroupApplication::Unknown, GroupApplication::Several),
        ] {
            assert_eq!((one.and(other), other.and(one)), (together, together), "{one:?} and {other:?}");
        }
    }
}
