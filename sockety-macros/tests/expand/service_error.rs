#[automatically_derived]
impl ::sockety::__private::ServiceError for MediaError {
    const VARIANTS: &'static [::sockety::__private::ErrorVariant] = &[
        ::sockety::__private::ErrorVariant {
            name: "NotFound",
            code: 16u16,
            has_details: false,
        },
        ::sockety::__private::ErrorVariant {
            name: "QuotaExceeded",
            code: 17u16,
            has_details: true,
        },
        ::sockety::__private::ErrorVariant {
            name: "Refused",
            code: 18u16,
            has_details: true,
        },
    ];
    fn variant(&self) -> &'static ::sockety::__private::ErrorVariant {
        let __index: usize = match self {
            Self::NotFound { .. } => 0usize,
            Self::QuotaExceeded { .. } => 1usize,
            Self::Refused { .. } => 2usize,
        };
        &<Self as ::sockety::__private::ServiceError>::VARIANTS[__index]
    }
    fn from_code(__code: u16) -> ::core::option::Option<Self> {
        match __code {
            16u16 => ::core::option::Option::Some(Self::NotFound {}),
            _ => ::core::option::Option::None,
        }
    }
    fn message(&self) -> ::std::string::String {
        ::std::string::ToString::to_string(self)
    }
}
#[automatically_derived]
impl ::core::fmt::Display for MediaError {
    fn fmt(&self, __formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        __formatter
            .write_str(
                match self {
                    Self::NotFound { .. } => "There is no such clip",
                    Self::QuotaExceeded { .. } => "quota exceeded",
                    Self::Refused { .. } => "refused",
                },
            )
    }
}
#[automatically_derived]
impl ::core::error::Error for MediaError {}
