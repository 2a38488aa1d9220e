//! Forms as clients write them, and malformed ones.

use bytes::Bytes;
use http::HeaderMap;
use memchr::memmem::find;

use super::{FormError, model, texts, with_model};

fn headers(content_type: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", content_type.parse().unwrap());
    headers
}

fn form() -> HeaderMap {
    headers("multipart/form-data; boundary=xx")
}

fn named(head: &str, name: &str) -> String {
    format!("--xx\r\n{head}\r\n\r\n{name}\r\n")
}

const MODEL: &str = "content-disposition: form-data; name=\"model\"";

fn model_of(headers: &HeaderMap, body: &str) -> Result<Option<String>, FormError> {
    let found = model(headers, body.as_bytes())?;
    Ok(found.map(|(name, place)| {
        assert_eq!(&body[place], name);
        name
    }))
}

#[test]
fn the_model_is_found_behind_a_file_and_replaced() {
    let body = Bytes::from_static(
        b"--xx\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n\x00\xff--x\r\n\
          --xx\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--xx--\r\n",
    );
    let name = |body: &Bytes| model(&form(), body).unwrap().map(|(name, _)| name);
    assert_eq!(name(&body).as_deref(), Some("whisper-1"));
    assert_eq!(model(&HeaderMap::new(), &body), Ok(None));

    let replaced = with_model(&form(), &body, "whisper-large-v3").unwrap();
    assert_eq!(name(&replaced).as_deref(), Some("whisper-large-v3"));
    let file = b"\r\n\r\n\x00\xff--x\r\n--xx\r\n";
    assert!(find(&replaced, file).is_some());
    assert_eq!(texts(&form(), &body), ["whisper-1"]);
    let empty = Bytes::from_static(b"--xx--");
    assert_eq!(with_model(&form(), &empty, "m"), None);
}

/// Werkzeug and Go find another model before ours in each of these.
#[test]
fn a_form_in_which_others_may_find_another_model_is_refused() {
    let cheap = named(MODEL, "cheap") + "--xx--";
    for head in [
        "Content-Disposition: form-data; name*=utf-8''model",
        "Content-Disposition: form-data; name*0=\"mo\"; name*1=\"del\"",
        "Content-Disposition: form-data; name=\"model\"; name=\"a\"",
        "X: y\rContent-Disposition: form-data; name=\"model\"",
    ] {
        let body = named(head, "expensive") + &cheap;
        assert_eq!(
            model_of(&form(), &body),
            Err(FormError::Ambiguous),
            "{head}"
        );
    }
    for end in ["\n", "\r"] {
        let hidden = format!("a{end}--xx{end}{MODEL}{end}{end}expensive");
        let body = named("content-disposition: form-data; name=a", &hidden) + &cheap;
        assert_eq!(
            model_of(&form(), &body),
            Err(FormError::Ambiguous),
            "{end:?}"
        );
    }
    let folded = "Content-Disposition: form-data;\r\n name=\"model\"";
    let body = named(folded, "expensive") + &cheap;
    assert_eq!(model_of(&form(), &body), Err(FormError::SeveralModels));
}

#[test]
fn heads_are_read_as_they_may_be_written() {
    for head in [
        MODEL,
        "Content-Disposition:form-data;name=model",
        "Content-Disposition: form-data ; NAME = \"model\" ; x=y",
        "Content-Type: text/plain; charset=utf-8\r\nCONTENT-DISPOSITION: form-data; x=\"mo\\\\del\"; name=\"model\"",
        "Content-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: 8bit",
        "Content-Disposition: form-data; x=\"; name=no\"; name=\"model\"",
        "Content-Disposition: form-data;\r\n name=\"model\"",
        "Content-Disposition:\r\n\tform-data;\r\n\tname=\"model\"\r\nContent-Type: text/plain",
    ] {
        let body = named(head, "m-1") + "--xx--";
        assert_eq!(
            model_of(&form(), &body),
            Ok(Some("m-1".to_owned())),
            "{head}"
        );
    }
    for head in [
        "content-disposition: form-data; name=\"models\"",
        "content-disposition: form-data; xname=\"model\"",
        "content-disposition: form-data; x=\"; name=model\"",
        "x-content-disposition: form-data; name=model",
        "",
    ] {
        let body = named(head, "m-1") + "--xx--";
        assert_eq!(model_of(&form(), &body), Ok(None), "{head}");
    }
}

#[test]
fn boundaries_are_read_as_they_may_be_written() {
    let body = named(MODEL, "m") + "--xx--";
    for content_type in [
        "multipart/form-data; boundary=\"xx\"",
        "Multipart/Form-Data;charset=utf-8; BOUNDARY=xx",
        "multipart/form-data; boundary=xx; charset=utf-8",
    ] {
        let found = model_of(&headers(content_type), &body);
        assert_eq!(found, Ok(Some("m".to_owned())), "{content_type}");
    }
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=yy",
    ] {
        assert_eq!(
            model_of(&headers(content_type), &body),
            Ok(None),
            "{content_type}"
        );
    }
    let quoted = headers("multipart/form-data; boundary=\"a; b\"");
    let body = body.replace("--xx", "--a; b");
    assert_eq!(model_of(&quoted, &body), Ok(Some("m".to_owned())));
}

#[test]
fn what_is_no_delimiter_is_content() {
    let model = Ok(Some("m".to_owned()));
    // A preamble, an epilogue, blanks after a delimiter, lines that start like one.
    for body in [
        format!("preamble --xx\r\n{}--xx--\r\nepilogue", named(MODEL, "m")),
        named(MODEL, "m").replace("--xx\r\n", "--xx \t\r\n") + "--xx--",
        format!(
            "{}{}--xx--",
            named("x: y", "--xxy\r\n--xx!\r\n--x"),
            named(MODEL, "m")
        ),
        format!("--xx\r\n\r\nno head\r\n{}--xx--", named(MODEL, "m")),
        // The last delimiter is missing, but the one after the model's part is there.
        format!("{}--xx\r\n", named(MODEL, "m")),
    ] {
        assert_eq!(model_of(&form(), &body), model, "{body}");
    }
    // Content after the last delimiter is not a part; neither are truncated parts, nor parts with other line endings.
    for body in [
        format!("--xx--\r\n{}--xx--", named(MODEL, "m")),
        named(MODEL, "m"),
        format!("{}--xx--", named(MODEL, "m")).replace("\r\n", "\n"),
        String::new(),
    ] {
        assert_eq!(model_of(&form(), &body), Ok(None), "{body}");
    }
}

#[test]
fn a_model_that_could_be_read_in_two_ways_is_refused() {
    let twice = named(MODEL, "a") + &named(MODEL, "b") + "--xx--";
    assert_eq!(model_of(&form(), &twice), Err(FormError::SeveralModels));
    for head in [
        format!("{MODEL}; filename=\"model.txt\""),
        format!("{MODEL}; filename*=utf-8''m"),
        format!("{MODEL}\r\ncontent-transfer-encoding: base64"),
    ] {
        let body = named(&head, "bQ==") + "--xx--";
        assert_eq!(model_of(&form(), &body), Err(FormError::NoText), "{head}");
    }
    let binary = b"--xx\r\ncontent-disposition: form-data; name=model\r\n\r\n\xff\r\n--xx--";
    assert_eq!(model(&form(), binary), Err(FormError::NoText));
}
