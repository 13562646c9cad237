//! Options for reading objects.

/// Options for reading objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The namespace of the configuration.
    pub namespace: String,
    /// The name of the ConfigMap. With `None` it is the only ConfigMap with a configuration, under any name.
    pub config_map: Option<String>,
    /// True if a missing configuration is an error.
    pub config_required: bool,
    /// True for files that are checked before they are applied: a mapping without kind may be the bare text of a configuration,
    /// objects without a namespace belong to that of the configuration, and Secrets may be elsewhere.
    pub lenient: bool,
    /// True if the passwords of peers are needed. If not, a missing Secret is not a problem.
    pub passwords: bool,
}

/// The options of a cluster, with MetalLB's namespace.
impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: "metallb-system".to_owned(),
            config_map: Some(CONFIG_MAP.to_owned()),
            config_required: true,
            lenient: false,
            passwords: true,
        }
    }
}

/// The name of the ConfigMap in which MetalLB 0.7.3 looks for its configuration.
pub const CONFIG_MAP: &str = "config";
