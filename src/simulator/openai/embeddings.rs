//! `/embeddings`: a small vector per input that depends on nothing but the input.

use serde_json::{Value, json};

use super::asked::Asked;

pub(super) fn answer(asked: &Asked) -> Value {
    let packed = asked.body["encoding_format"] == "base64";
    let data = inputs(&asked.body["input"]).into_iter().enumerate();
    let data = data.map(|(index, input)| {
        let vector = vector(&input);
        let embedding = if packed {
            base64(&vector.map(f32::to_le_bytes).concat()).into()
        } else {
            json!(vector)
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    });
    list(asked, data.collect())
}

pub(super) fn empty_answer(asked: &Asked) -> Value {
    list(asked, json!([]))
}

fn list(asked: &Asked, data: Value) -> Value {
    let tokens = asked.prompt_tokens();
    json!({
        "object": "list",
        "data": data,
        "model": asked.model,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    })
}

/// Several texts or several token lists are several inputs; one text or one token list is one.
fn inputs(input: &Value) -> Vec<String> {
    match input.as_array() {
        Some(several) if !several.iter().any(Value::is_number) => {
            several.iter().map(ToString::to_string).collect()
        }
        _ => vec![input.to_string()],
    }
}

/// Numbers between -1 and 1, by FNV-1a over the input and their own position.
fn vector(input: &str) -> [f32; SIZE] {
    std::array::from_fn(|position| {
        let hash = input
            .bytes()
            .chain(position.to_le_bytes())
            .fold(0x811c_9dc5_u32, |hash, byte| {
                (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
            });
        let [.., high, low] = hash.to_be_bytes();
        f32::from(i16::from_be_bytes([high, low])) / 32768.0
    })
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place)) & 63;
            // A group of n bytes has n + 1 letters; the rest is padding.
            let letter = if place <= group.len() {
                ALPHABET[sextet as usize] as char
            } else {
                '='
            };
            text.push(letter);
        }
    }
    text
}

const SIZE: usize = 8;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_pads_to_groups_of_four() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ];
        for (plain, encoded) in cases {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }
}
