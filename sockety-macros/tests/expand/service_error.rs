#[automatically_derived]
impl ::sockety::__private::ServiceError for MediaError {
    const VARIANTS: &'static [::sockety::__private::ErrorVariant] = &[
        ::sockety::__private::ErrorVariant::new(
            "NotFound",
            16u16,
            "There is no such clip",
        ),
        ::sockety::__private::ErrorVariant::new("QuotaExceeded", 17u16, "quota exceeded")
            .with_details(),
        ::sockety::__private::ErrorVariant::new("Refused", 18u16, "refused")
            .with_details(),
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
