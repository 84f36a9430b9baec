//! The descriptors of everything that a server serves, by each name that a client can ask for.

use std::collections::{BTreeMap, HashMap};

use protobuf::descriptor::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};
use protobuf::reflect::FileDescriptor;

/// The files of some services, and all files that they import.
#[derive(Default)]
pub(crate) struct Descriptors {
    services: Vec<String>,
    files: HashMap<String, FileDescriptor>,
    symbols: HashMap<String, FileDescriptor>,
    /// The extensions of each message: the number of the field, and the file that declares it.
    /// Every message has an entry.
    extensions: HashMap<String, BTreeMap<i32, FileDescriptor>>,
}

impl Descriptors {
    /// The descriptors of `files` and of everything that they import.
    pub(crate) fn new(files: &[FileDescriptor]) -> Self {
        let mut all = Self::default();
        for file in files {
            let proto = file.proto();
            let services = proto.service.iter();
            let names = services.map(|service| join(proto.package(), service.name()));
            all.services.extend(names);
            for file in with_imports(file) {
                all.add(file);
            }
        }
        all.services.sort();
        all
    }

    fn add(&mut self, file: &FileDescriptor) {
        let known = self.files.insert(file.name().to_owned(), file.clone());
        if known.is_none() {
            Declarations { all: self, file }.of_file(file.proto());
        }
    }

    /// The full names of the services, sorted.
    pub(crate) fn services(&self) -> &[String] {
        &self.services
    }

    /// The file of this name.
    pub(crate) fn named(&self, file: &str) -> Option<&FileDescriptor> {
        self.files.get(file)
    }

    /// The file that declares the symbol with this full name.
    pub(crate) fn declaring(&self, symbol: &str) -> Option<&FileDescriptor> {
        self.symbols.get(symbol)
    }

    /// The file that declares the extension of this number of `message`.
    pub(crate) fn extending(&self, message: &str, number: i32) -> Option<&FileDescriptor> {
        self.extensions.get(message)?.get(&number)
    }

    /// The numbers of all extensions of a message, sorted; None where there is no such message.
    pub(crate) fn extensions(&self, message: &str) -> Option<Vec<i32>> {
        let extensions = self.extensions.get(message)?;
        Some(extensions.keys().copied().collect())
    }
}

/// A file and all files that it imports, each once. The file itself comes first.
pub(crate) fn with_imports(file: &FileDescriptor) -> Vec<&FileDescriptor> {
    let mut files = vec![file];
    let mut next = 0;
    while let Some(file) = files.get(next) {
        for import in file.deps() {
            if !files.contains(&import) {
                files.push(import);
            }
        }
        next += 1;
    }
    files
}

/// Adds the symbols that a file declares to the descriptors, by their full names.
struct Declarations<'a> {
    all: &'a mut Descriptors,
    file: &'a FileDescriptor,
}

impl Declarations<'_> {
    fn of_file(&mut self, proto: &FileDescriptorProto) {
        let package = proto.package();
        for service in &proto.service {
            let name = self.symbol(package, service.name());
            for method in &service.method {
                self.symbol(&name, method.name());
            }
        }
        for message in &proto.message_type {
            self.of_message(package, message);
        }
        for declared in &proto.enum_type {
            self.of_enum(package, declared);
        }
        self.extensions(package, &proto.extension);
    }

    fn of_message(&mut self, scope: &str, message: &DescriptorProto) {
        let name = self.symbol(scope, message.name());
        for field in &message.field {
            self.symbol(&name, field.name());
        }
        for oneof in &message.oneof_decl {
            self.symbol(&name, oneof.name());
        }
        for nested in &message.nested_type {
            self.of_message(&name, nested);
        }
        for nested in &message.enum_type {
            self.of_enum(&name, nested);
        }
        self.extensions(&name, &message.extension);
        self.all.extensions.entry(name).or_default();
    }

    /// The values of an enum are its siblings, as in C++.
    fn of_enum(&mut self, scope: &str, declared: &EnumDescriptorProto) {
        self.symbol(scope, declared.name());
        for value in &declared.value {
            self.symbol(scope, value.name());
        }
    }

    fn extensions(&mut self, scope: &str, extensions: &[FieldDescriptorProto]) {
        for extension in extensions {
            self.symbol(scope, extension.name());
            // The name of the extended message begins with a dot.
            let extended = extension.extendee().trim_start_matches('.').to_owned();
            let numbers = self.all.extensions.entry(extended).or_default();
            numbers.insert(extension.number(), self.file.clone());
        }
    }

    /// Adds a symbol and returns its full name.
    fn symbol(&mut self, scope: &str, name: &str) -> String {
        let name = join(scope, name);
        let symbols = &mut self.all.symbols;
        symbols.insert(name.clone(), self.file.clone());
        name
    }
}

fn join(scope: &str, name: &str) -> String {
    match scope {
        "" => name.to_owned(),
        scope => format!("{scope}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use protobuf::text_format::parse_from_str;

    use super::*;

    /// Three files, of which the last extends what the first declares.
    fn extended() -> Descriptors {
        let files = [
            r#"name: "base.proto" package: "a.b"
               message_type { name: "Base" extension_range { start: 100 end: 200 }
                 field { name: "plain" number: 1 label: LABEL_OPTIONAL type: TYPE_INT32 }
                 oneof_decl { name: "either" }
                 nested_type { name: "Inner" }
                 enum_type { name: "Kind" value { name: "SOME" number: 0 } } }"#,
            r#"name: "middle.proto" dependency: "base.proto""#,
            r#"name: "top.proto" package: "c" dependency: "middle.proto" dependency: "base.proto"
               enum_type { name: "Level" value { name: "LOW" number: 0 } }
               extension { name: "more" number: 101 label: LABEL_OPTIONAL type: TYPE_INT32
                 extendee: ".a.b.Base" }
               message_type { name: "Holder"
                 extension { name: "held" number: 100 label: LABEL_OPTIONAL type: TYPE_STRING
                   extendee: ".a.b.Base" } }
               service { name: "Serves"
                 method { name: "Call" input_type: ".a.b.Base" output_type: ".c.Holder" } }"#,
        ];
        let files = files.map(|file| parse_from_str(file).unwrap());
        let files = FileDescriptor::new_dynamic_fds(files.to_vec(), &[]).unwrap();
        let top = files
            .iter()
            .find(|file| file.name() == "top.proto")
            .unwrap();
        Descriptors::new(std::slice::from_ref(top))
    }

    /// The names of a file and its imports.
    fn names(file: Option<&FileDescriptor>) -> Option<Vec<&str>> {
        let files = with_imports(file?).into_iter();
        Some(files.map(FileDescriptor::name).collect())
    }

    #[test]
    fn a_file_comes_first_and_each_import_once() {
        let all = extended();
        for (name, files) in [
            ("base.proto", Some(vec!["base.proto"])),
            ("middle.proto", Some(vec!["middle.proto", "base.proto"])),
            (
                "top.proto",
                Some(vec!["top.proto", "middle.proto", "base.proto"]),
            ),
            ("TOP.proto", None),
        ] {
            assert_eq!(names(all.named(name)), files);
        }
    }

    #[test]
    fn everything_that_has_a_full_name_is_found_by_it() {
        let all = extended();
        for (file, symbols) in [
            (
                Some("base.proto"),
                "a.b.Base a.b.Base.plain a.b.Base.either a.b.Base.Inner a.b.Base.Kind a.b.Base.SOME",
            ),
            (
                Some("top.proto"),
                "c.Serves c.Serves.Call c.Holder c.Holder.held c.more c.Level c.LOW",
            ),
            (
                None,
                "a a.b Base .a.b.Base a.b.Base. c.Serves.Other c.Level.LOW",
            ),
        ] {
            for symbol in symbols.split(' ') {
                let found = all.declaring(symbol).map(FileDescriptor::name);
                assert_eq!(found, file, "{symbol}");
            }
        }
    }

    #[test]
    fn extensions_are_found_by_what_they_extend() {
        let all = extended();
        for (message, number, file) in [
            ("a.b.Base", 100, Some("top.proto")),
            ("a.b.Base", 101, Some("top.proto")),
            ("a.b.Base", 102, None),
            ("a.b.Base", -1, None),
            ("c.Holder", 100, None),
            ("a.b", 100, None),
        ] {
            let found = all.extending(message, number).map(FileDescriptor::name);
            assert_eq!(found, file, "{message} {number}");
        }
        assert_eq!(all.extensions("a.b.Base"), Some(vec![100, 101]));
        assert_eq!(all.extensions("a.b.Base.Inner"), Some(vec![]));
        assert_eq!(all.extensions("c.Level"), None);
    }
}
