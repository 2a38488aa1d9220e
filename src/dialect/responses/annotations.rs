//! Citations of a text: nested in a chat, flat in a response.

use serde_json::{Value, json};

/// The pages among the annotations of a chat's message, for a text that starts after so many characters of the
/// message.
pub(super) fn annotations(of_chat: &Value, before: usize) -> Vec<Value> {
    let annotations = of_chat.as_array().into_iter().flatten();
    let pages = annotations.filter(|annotation| annotation["type"] == "url_citation");
    let flat = pages.map(|page| {
        let page = &page["url_citation"];
        let place = |field: &str| page[field].as_u64().unwrap_or(0);
        let before = before as u64;
        json!({
            "type": "url_citation", "url": page["url"],
            "title": page["title"].as_str().unwrap_or_default(),
            "start_index": place("start_index").saturating_sub(before),
            "end_index": place("end_index").saturating_sub(before),
        })
    });
    flat.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::dialect::responses::answer;
    use crate::dialect::responses::tests::{chunk, context, events};

    fn cited(url: &str, start: usize, end: usize) -> Value {
        let page = json!({"url": url, "title": "T", "start_index": start, "end_index": end});
        json!({"type": "url_citation", "url_citation": page})
    }

    fn cited_flat(url: &str, start: usize, end: usize) -> Value {
        json!({"type": "url_citation", "url": url, "title": "T", "start_index": start, "end_index": end})
    }

    #[test]
    fn a_response_tells_where_its_text_is_from() {
        let given = json!([cited("a", 0, 2), {"type": "file", "file": {}}, cited("b", 1, 2)]);
        let completion = json!({"choices": [{"message": {"content": "Né", "annotations": given}, "finish_reason": "stop"}]});
        let context = context(&json!({"model": "m", "input": "x"}));
        let body = answer(completion.to_string().as_bytes(), &context).unwrap();
        let response: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            response["output"][0]["content"][0]["annotations"],
            json!([cited_flat("a", 0, 2), cited_flat("b", 1, 2)])
        );
    }

    #[test]
    fn a_stream_tells_where_its_text_is_from() {
        let call = json!([{"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}}]);
        let deltas = [
            json!({"annotations": [cited("early", 0, 0)]}),
            json!({"content": "Né"}),
            json!({"annotations": [cited("a", 0, 2), {"type": "file", "file": {}}]}),
            json!({"tool_calls": call}),
            json!({"content": "à Paris"}),
            json!({"annotations": [cited("b", 4, 9)]}),
        ];
        let mut chunks: Vec<Value> = deltas.map(|delta| chunk(delta, Value::Null)).into();
        chunks.push(chunk(json!({}), json!("stop")));
        let events = events(&chunks, "data: [DONE]\n\n");
        let of = |kind: &str| -> Vec<&Value> {
            events
                .iter()
                .filter(|event| event["type"] == kind)
                .collect()
        };
        let output = &of("response.completed")[0]["response"]["output"];
        let added = of("response.output_text.annotation.added");
        // Positions are those in the text of the item.
        let expected = [
            (0, 0, cited_flat("early", 0, 0)),
            (0, 1, cited_flat("a", 0, 2)),
            (2, 0, cited_flat("b", 2, 7)),
        ];
        assert_eq!(added.len(), expected.len());
        for (event, (item, index, annotation)) in added.into_iter().zip(expected) {
            assert_eq!(event["item_id"], output[item]["id"]);
            assert_eq!(
                (&event["output_index"], &event["content_index"]),
                (&json!(item), &json!(0))
            );
            assert_eq!(event["annotation_index"], index);
            assert_eq!(event["annotation"], annotation);
            assert_eq!(output[item]["content"][0]["annotations"][index], annotation);
        }
        let parts = of("response.content_part.done");
        assert_eq!(parts[0]["part"], output[0]["content"][0]);
        assert_eq!(parts[1]["part"], output[2]["content"][0]);
        assert_eq!(of("response.output_item.done")[0]["item"], output[0]);
    }
}
