//! What a translation leaves out.

use serde_json::Value;

/// The fields of a request that are none of those that are `said` in other words. Names that cannot stand in a header, and
/// more than anybody would read, are not told.
pub(super) fn left_out(body: &Value, said: &[&str]) -> Vec<String> {
    const MOST: usize = 32;
    let can_be_told =
        |name: &str| name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic());
    let fields = body.as_object().into_iter().flatten();
    fields
        .filter(|(name, value)| {
            !value.is_null() && !said.contains(&name.as_str()) && can_be_told(name)
        })
        .map(|(name, _)| name.clone())
        .take(MOST)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::left_out;

    #[test]
    fn what_nobody_has_said_is_told() {
        let body =
            json!({"model": "m", "seed": 1, "user": null, "brand_new": {}, "a\nb": 1, "é": 1});
        assert_eq!(left_out(&body, &["model"]), ["seed", "brand_new"]);
    }
}
