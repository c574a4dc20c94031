#[automatically_derived]
impl ::facade::rpc::__private::ServiceError for MediaError {
    const VARIANTS: &'static [::facade::rpc::__private::ErrorVariant] = &[
        ::facade::rpc::__private::ErrorVariant::new("NotFound", 16u16, "not found"),
    ];
    fn variant(&self) -> &'static ::facade::rpc::__private::ErrorVariant {
        let __index: usize = match self {
            Self::NotFound { .. } => 0usize,
        };
        &<Self as ::facade::rpc::__private::ServiceError>::VARIANTS[__index]
    }
    fn from_code(__code: u16) -> ::core::option::Option<Self> {
        match __code {
            16u16 => ::core::option::Option::Some(Self::NotFound {}),
            _ => ::core::option::Option::None,
        }
    }
}
