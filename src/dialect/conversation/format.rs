//! The form of an answer: any text, JSON, or JSON by a schema.

use serde_json::{Value, json};

use super::fields::{Object, said, take, take_flag, take_text};

/// The form of the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Format {
    /// Text.
    #[default]
    Text,
    /// A JSON object.
    Json,
    /// JSON by a schema.
    Schema {
        /// The schema's name.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: Value,
        /// Whether the answer must keep to it; `None` leaves that to the API.
        strict: Option<bool>,
    },
}

impl Format {
    /// The form of an answer by a schema, as `OpenAI` describes it.
    pub fn of_schema(mut described: Object) -> Self {
        Self::Schema {
            name: take_text(&mut described, "name"),
            description: take_text(&mut described, "description"),
            schema: said(take(&mut described, "schema")).unwrap_or(json!({ "type": "object" })),
            strict: take_flag(&mut described, "strict"),
        }
    }

    /// The same, written. `OpenAI` asks for a name.
    pub fn described(
        name: Option<String>,
        description: Option<String>,
        schema: Value,
        strict: Option<bool>,
    ) -> Value {
        let name = name.unwrap_or_else(|| "answer".to_owned());
        let mut described = json!({ "name": name, "schema": schema });
        if let Some(description) = description {
            described["description"] = description.into();
        }
        if let Some(strict) = strict {
            described["strict"] = strict.into();
        }
        described
    }
}
