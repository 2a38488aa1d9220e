//! The models that the tools of a request run beside its own, such as one that makes pictures.

use crate::wire::json::{Field, Reader, Wanted, pick, text, wanted};

wanted!(
    /// The list of tools.
    Tools: tools
);

wanted!(
    /// What matters of a tool.
    Tool: model
);

/// Their names; an empty one stands for one that cannot be read.
pub fn models_of_tools(body: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let tools = pick(body).ok().and_then(|Tools { tools }| tools.get());
    let Some(list) = tools.filter(|tools| tools.starts_with('[')) else {
        return names;
    };
    let read = Reader::new(list.as_bytes()).list(|reader| {
        if !reader.is_at(b'{') {
            return reader.skip();
        }
        let Tool { model } = reader.pick()?;
        let name = model.get().map(text);
        names.extend(name.map(|name| name.unwrap_or_default().into_owned()));
        Ok(())
    });
    if read.is_err() {
        names.push(String::new());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::models_of_tools;

    #[test]
    fn models_that_tools_run_are_known() {
        for (tools, names) in [
            (r#"[{"type":"image_generation","model":"b"}]"#, &["b"][..]),
            (r#"[{"type":"x","model":"b"},{"model":"c"}]"#, &["b", "c"]),
            (r#"[{"model":7},{"model":null}]"#, &[""]),
            (r#"[{"model":"b","model":"c"}]"#, &[""]),
            (
                r#"[{"type":"function","function":{"parameters":{"properties":{"model":{}}}}}]"#,
                &[],
            ),
            (r#"["x"]"#, &[]),
            ("null", &[]),
        ] {
            let body = format!("{{\"model\":\"a\",\"tools\":{tools}}}");
            assert_eq!(models_of_tools(body.as_bytes()), names, "{body}");
        }
        assert!(models_of_tools(b"--form").is_empty());
    }
}
