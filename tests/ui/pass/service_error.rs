//! Codes, details and texts of an enum of errors.
#![deny(missing_docs, warnings)]

use sockety::ServiceError;

/// What can go wrong.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize, ServiceError)]
pub enum MediaError {
    /// There is no such
    /// clip.
    ///
    /// Nothing was changed.
    #[code(16)]
    NotFound,
    #[allow(missing_docs)]
    #[code(3839)]
    QuotaExceeded { used: u64, limit: u64 },
    /**
     * The owner said no.
     */
    #[code(0x12)]
    Refused(String),
    /// Braces {} are text.
    #[code(19)]
    Empty {},
}

/// Every error has details.
#[derive(Debug, serde::Serialize, serde::Deserialize, ServiceError)]
pub enum Detailed {
    /// The reason.
    #[code(16)]
    Reason(String),
}

fn main() {
    let texts = [
        (
            MediaError::NotFound,
            "There is no such clip",
            "NotFound",
            16,
            false,
        ),
        (
            MediaError::QuotaExceeded { used: 1, limit: 2 },
            "quota exceeded",
            "QuotaExceeded",
            3839,
            true,
        ),
        (
            MediaError::Refused("no".into()),
            "The owner said no",
            "Refused",
            18,
            true,
        ),
        (
            MediaError::Empty {},
            "Braces {} are text",
            "Empty",
            19,
            false,
        ),
    ];
    for (error, text, name, code, has_details) in texts {
        assert_eq!(error.to_string(), text);
        let variant = error.variant();
        assert_eq!(
            (&*variant.name, variant.code, variant.has_details),
            (name, code, has_details)
        );
        assert_eq!(MediaError::from_code(code).is_some(), !has_details);
    }
    assert_eq!(MediaError::from_code(16), Some(MediaError::NotFound));
    assert_eq!(MediaError::from_code(17), None);
    assert!(Detailed::from_code(16).is_none());
}
