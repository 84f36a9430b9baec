//! The rights that a service defines.

use std::sync::Arc;

use grpcio_streams::{Call, Status};

/// The rights that a service defines, and those that each of its calls needs.
///
/// A line of the token file gives its caller rights, each an action and a resource, such as
/// `read:stocks/*`. The service defines the actions, and decides which of them a call needs. For
/// rights to call methods, use [`MethodRights`](crate::MethodRights).
///
/// ```
/// use grpcio_serve::{Need, Rights};
/// use grpcio_streams::{Call, Status};
///
/// /// The right to read or write the account that the metadata `account` names.
/// struct AccountRights;
///
/// impl Rights for AccountRights {
///     fn actions(&self) -> &[&'static str] {
///         &["read", "write"]
///     }
///
///     fn resource(&self) -> &'static str {
///         "account"
///     }
///
///     fn resource_names(&self) -> &'static str {
///         "1 to 10 digits"
///     }
///
///     fn is_resource(&self, name: &str) -> bool {
///         (1..=10).contains(&name.len()) && name.chars().all(|c| c.is_ascii_digit())
///     }
///
///     fn needed(&self, call: &Call) -> Result<Option<Need>, Status> {
///         let account = call.metadata().iter().find(|(key, _)| *key == "account");
///         let account = account.and_then(|(_, value)| str::from_utf8(value).ok());
///         let missing = || Status::invalid_argument("the call needs the metadata `account`");
///         let action = match call.method() {
///             "/example.Bank/Balance" => "read",
///             _ => "write",
///         };
///         Ok(Some(Need {
///             actions: vec![action],
///             resource: account.ok_or_else(missing)?.to_owned(),
///         }))
///     }
/// }
/// ```
pub trait Rights: Send + Sync + 'static {
    /// The actions, such as `read` and `write`. Several services may define the same action. A
    /// right with it then applies to all of them.
    fn actions(&self) -> &[&'static str];

    /// The kind of the resources, in one word, such as `topic`. It appears in errors.
    fn resource(&self) -> &'static str;

    /// The rule for names of resources, for errors: `1 to 255 of A-Z a-z 0-9 . _ / -`, for example.
    fn resource_names(&self) -> &'static str;

    /// Whether a resource can have this name, or a name that begins with it.
    fn is_resource(&self, name: &str) -> bool;

    /// The rights that a call needs, decided from its headers. None if it needs no right.
    ///
    /// # Errors
    ///
    /// The status with which the call ends if its headers are wrong, such as INVALID_ARGUMENT.
    fn needed(&self, call: &Call) -> Result<Option<Need>, Status>;
}

/// The rights that a call needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The actions. The caller needs the right to each of them.
    pub actions: Vec<&'static str>,
    /// The resource of the actions.
    pub resource: String,
}

/// The rights that all services of a server define.
#[derive(Clone, Default)]
pub(crate) struct Vocabulary(Vec<Arc<dyn Rights>>);

impl Vocabulary {
    pub(crate) fn new(rights: impl IntoIterator<Item = Arc<dyn Rights>>) -> Self {
        Self(rights.into_iter().collect())
    }

    /// What a right looks like, such as `read:TOPIC or write:TOPIC`.
    pub(crate) fn forms(&self) -> String {
        let forms = self.0.iter().flat_map(|rights| {
            let resource = rights.resource().to_uppercase();
            let form = move |action: &&str| format!("{action}:{resource}");
            rights.actions().iter().map(form)
        });
        let mut forms: Vec<_> = forms.collect();
        forms.dedup();
        match forms.split_last() {
            None => "not possible, because no service of this server defines rights".to_owned(),
            Some((one, [])) => one.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
        }
    }

    /// The action of this name, and the services' rights that define it. None if no service defines
    /// it.
    pub(crate) fn action(&self, name: &str) -> Option<(&'static str, Vec<&dyn Rights>)> {
        let mut action = None;
        let mut known_by = Vec::new();
        for rights in &self.0 {
            if let Some(known) = rights.actions().iter().find(|known| **known == name) {
                action = Some(*known);
                known_by.push(&**rights);
            }
        }
        Some((action?, known_by))
    }
}
