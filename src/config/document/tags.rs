//! YAML tags: the core schema's (`!!str`), and CloudFormation's short forms of its functions.

/// What a tag asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// `!!str` or `!`: the scalar is a string whatever it looks like.
    Text,
    /// `!!int`, `!!float`, `!!bool`, `!!null`: the scalar must look like one.
    Plain(&'static str),
    /// `!!map`, `!!seq`: what it is anyway.
    Collection,
    /// `!Sub x`: the value becomes the only entry of a mapping, under this key.
    Function(&'static str),
    /// A tag nobody here knows.
    Unknown,
}

/// CloudFormation's functions that have a short form, by the short form's name.
const FUNCTIONS: &[(&str, &str)] = &[
    ("And", "Fn::And"),
    ("Base64", "Fn::Base64"),
    ("Cidr", "Fn::Cidr"),
    ("Condition", "Condition"),
    ("Equals", "Fn::Equals"),
    ("FindInMap", "Fn::FindInMap"),
    ("ForEach", "Fn::ForEach"),
    ("GetAZs", "Fn::GetAZs"),
    ("GetAtt", "Fn::GetAtt"),
    ("If", "Fn::If"),
    ("ImportValue", "Fn::ImportValue"),
    ("Join", "Fn::Join"),
    ("Length", "Fn::Length"),
    ("Not", "Fn::Not"),
    ("Or", "Fn::Or"),
    ("Ref", "Ref"),
    ("Select", "Fn::Select"),
    ("Split", "Fn::Split"),
    ("Sub", "Fn::Sub"),
    ("ToJsonString", "Fn::ToJsonString"),
    ("Transform", "Fn::Transform"),
];

impl Tag {
    /// A tag by its handle (`!`, or `tag:yaml.org,2002:` for `!!`) and suffix.
    pub(super) fn find(handle: &str, suffix: &str) -> Self {
        match (handle, suffix) {
            ("tag:yaml.org,2002:", "str") | ("" | "!", "" | "!") => Self::Text,
            ("tag:yaml.org,2002:", "int") => Self::Plain("an integer"),
            ("tag:yaml.org,2002:", "float") => Self::Plain("a float"),
            ("tag:yaml.org,2002:", "bool") => Self::Plain("true or false"),
            ("tag:yaml.org,2002:", "null") => Self::Plain("null"),
            ("tag:yaml.org,2002:", "map" | "seq") => Self::Collection,
            ("!", name) => FUNCTIONS
                .iter()
                .find(|(short, _)| *short == name)
                .map_or(Self::Unknown, |(_, long)| Self::Function(long)),
            _ => Self::Unknown,
        }
    }
}
