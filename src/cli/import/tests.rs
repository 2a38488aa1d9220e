//! What becomes of files in the shape of `LiteLLM`'s documentation.

use std::path::Path;

use super::{import, text};
use crate::config::Config;

/// The text and the notes; the text is valid.
fn imported(yaml: &str) -> (String, String) {
    let imported = import(Path::new("config.yaml"), yaml).unwrap();
    let checked = Config::parse("it", &imported.text, &|name| {
        Some(text::placeholder(&imported.text, name))
    });
    if let Err(problems) = checked {
        panic!("{problems}\n{}", imported.text);
    }
    (imported.text, imported.notes.to_string())
}

/// The lines below a route's models.
fn route<'a>(text: &'a str, models: &str) -> Vec<&'a str> {
    let start = format!("  - models: [{models}]\n");
    let (_, rest) = text
        .split_once(&start)
        .unwrap_or_else(|| panic!("{models}: {text}"));
    rest.lines()
        .take_while(|line| line.starts_with("    "))
        .map(str::trim)
        .collect()
}

#[test]
fn deployments_of_one_name_share_and_fallbacks_come_behind_them() {
    let (text, notes) = imported(
        "model_list:
  - {model_name: zephyr, litellm_params: {model: huggingface/HuggingFaceH4/zephyr-7b-beta, api_base: \"http://0.0.0.0:8001\", rpm: 60, tpm: 1000}}
  - {model_name: zephyr, litellm_params: {model: huggingface/HuggingFaceH4/zephyr-7b-beta, api_base: \"http://0.0.0.0:8002\", rpm: 600}}
  - {model_name: gpt-4o, litellm_params: {model: gpt-4o, api_key: os.environ/OPENAI_KEY}}
  - {model_name: long, litellm_params: {model: gpt-4.1, api_key: os.environ/OPENAI_KEY, timeout: 400}}
litellm_settings:
  num_retries: 3
  request_timeout: 10
  fallbacks: [{zephyr: [gpt-4o, nobody]}]
  context_window_fallbacks: [{zephyr: [long]}]
router_settings:
  model_group_alias: {gpt-4: gpt-4o}
  timeout: 30
",
    );
    assert_eq!(
        route(&text, "zephyr"),
        [
            "candidates:",
            "- {upstream: tgi, model: HuggingFaceH4/zephyr-7b-beta, tier: 1, weight: 1}",
            "- {upstream: tgi-2, model: HuggingFaceH4/zephyr-7b-beta, tier: 1, weight: 10}",
            "- {upstream: openai, model: gpt-4o, tier: 2}",
            "- {upstream: openai, model: gpt-4.1, tier: 3, timeouts: {first_token: 400s, answer: 400s}}",
        ]
    );
    assert_eq!(
        route(&text, "gpt-4o, gpt-4")[1],
        "- {upstream: openai, model: gpt-4o}"
    );
    assert!(
        text.contains("tgi: {provider: tgi, base_url: \"http://127.0.0.1:8001/v1\"}"),
        "{text}"
    );
    assert!(
        text.contains("timeouts: {first_token: 30s, answer: 30s, total: 800s}"),
        "{text}"
    );
    for note in [
        "litellm_settings.num_retries: ",
        "the fallback nobody (zephyr): ",
        "OPENAI_KEY",
    ] {
        assert!(notes.contains(note), "{note}: {notes}");
    }
}

#[test]
fn azure_is_asked_by_its_older_api_with_a_version_and_by_its_newer_one_without() {
    let (text, notes) = imported(
        "model_list:
  - {model_name: a, litellm_params: {model: azure/eu, api_base: \"https://eu.openai.azure.com/\", api_key: os.environ/EU, api_version: \"2024-10-21\"}}
  - {model_name: b, litellm_params: {model: azure/ca, api_base: \"https://openai-ca.openai.azure.com/openai/v1/\", api_key: os.environ/CA}}
  - {model_name: d, litellm_params: {model: azure/fr, api_base: \"https://openai-france-1234.openai.azure.com/\", api_key: os.environ/FR}}
  - {model_name: e, litellm_params: {model: azure_ai/x, api_base: \"https://openai-x.services.ai.azure.com/models\", api_key: os.environ/AI}}
  - {model_name: c, litellm_params: {model: azure/us, litellm_credential_name: us}}
credential_list:
  - {credential_name: us, credential_values: {api_base: os.environ/US_BASE, api_key: os.environ/US}}
",
    );
    for line in [
        "  azure: {provider: azure, base_url: \"https://eu.openai.azure.com/openai\", api_version: \"2024-10-21\", api_key: \"${EU}\"}\n",
        "  azure-2: {provider: azure, base_url: \"https://openai-ca.openai.azure.com/openai/v1\", api_key: \"${CA}\"}\n",
        "  azure-3: {provider: azure, base_url: \"https://openai-france-1234.openai.azure.com/openai/v1\", api_key: \"${FR}\"}\n",
        "  azure-4: {provider: azure, base_url: \"https://openai-x.services.ai.azure.com/openai/v1\", api_key: \"${AI}\"}\n",
        "  azure-5: {provider: azure, base_url: \"${US_BASE}/openai/v1\", api_key: \"${US}\"}\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert!(
        notes.contains("${US_BASE} (azure) must be a URL without a slash"),
        "{notes}"
    );
}

#[test]
fn keys_in_plain_text_stand_in_the_result_and_in_no_note() {
    let (text, notes) = imported(
        "model_list:
  - {model_name: a, litellm_params: {model: gpt-4o, api_key: sk-very-secret, temperature: 0.2}}
  - {model_name: b, litellm_params: {model: sagemaker/x, api_key: sk-very-secret, aws_secret_access_key: sk-very-secret}}
  - {model_name: d, litellm_params: {model: openai/x, api_base: sk-very-secret}}
general_settings: {master_key: sk-very-secret-1, database_url: \"postgres://sk-very-secret\", alerting: [slack, email]}
environment_variables: {OTHER: sk-very-secret}
",
    );
    assert!(
        text.contains("openai: {provider: openai, api_key: sk-very-secret}"),
        "{text}"
    );
    assert!(
        text.contains("- {name: master, key: sk-very-secret-1}"),
        "{text}"
    );
    assert!(
        text.contains("- {url: \"${SLACK_WEBHOOK_URL}\", format: slack}"),
        "{text}"
    );
    assert!(!notes.contains("very-secret"), "{notes}");
    for note in [
        "temperature (a): backstop sends what the client writes",
        "model_list[1] (b): backstop does not know the provider `sagemaker`",
        "model_list[2] (d): api_base is no URL",
        "general_settings.alerting (email): ",
        "general_settings.database_url: ",
        "environment_variables: export them where backstop starts: OTHER",
        "the key of a stands in the result",
    ] {
        assert!(notes.contains(note), "{note}: {notes}");
    }
}

#[test]
fn patterns_keep_names_or_are_written_out() {
    let (text, notes) = imported(
        "model_list:
  - {model_name: \"anthropic/*\", litellm_params: {model: \"anthropic/*\"}}
  - {model_name: \"claude-special\", litellm_params: {model: \"anthropic/claude-sonnet-5\"}}
  - {model_name: \"*\", litellm_params: {model: \"openai/*\", organization: [one, two]}}
litellm_settings: {fallbacks: [{gpt-4o: [anthropic/claude-any]}], default_fallbacks: [claude-special]}
",
    );
    assert_eq!(
        route(&text, "anthropic/claude-sonnet-5-5")[1],
        "- {upstream: anthropic, model: claude-sonnet-5-5}"
    );
    assert_eq!(route(&text, "\"claude-*\"")[1], "- {upstream: anthropic}");
    assert_eq!(
        route(&text, "\"*\"")[1..],
        [
            "- {upstream: openai, tier: 1}",
            "- {upstream: openai-2, tier: 1}",
            "- {upstream: anthropic, model: claude-sonnet-5, tier: 2}",
        ]
    );
    assert_eq!(
        route(&text, "gpt-4o")[1..],
        [
            "- {upstream: openai, tier: 1}",
            "- {upstream: openai-2, tier: 1}",
            "- {upstream: anthropic, model: claude-any, tier: 2}",
        ]
    );
    assert!(
        text.contains("headers: {OpenAI-Organization: two}"),
        "{text}"
    );
    assert!(
        notes.contains("`anthropic/*`: backstop passes names on as they are"),
        "{notes}"
    );
}

#[test]
fn other_clouds_are_asked_at_their_own_places() {
    let (text, notes) = imported(
        "model_list:
  - {model_name: a, litellm_params: {model: bedrock/openai.gpt-oss-120b-1:0, aws_region_name: us-west-2, aws_access_key_id: os.environ/X}}
  - {model_name: b, litellm_params: {model: bedrock/us.anthropic.claude-sonnet-5, aws_region_name: us-west-2}}
  - {model_name: c, litellm_params: {model: vertex_ai/gemini-3-flash, vertex_project: p, vertex_location: global}}
  - {model_name: d, litellm_params: {model: ollama_chat/llama3.1}, model_info: {supports_function_calling: false, max_input_tokens: 8192}}
  - {model_name: e, litellm_params: {model: groq/llama-3.3, order: 2, max_parallel_requests: 4}}
  - {model_name: e, litellm_params: {model: meta/llama, custom_llm_provider: openai, api_base: \"https://llm.example.com/v1\", order: 1}}
router_settings: {routing_strategy: latency-based-routing}
general_settings: {global_max_parallel_requests: 100}
",
    );
    for part in [
        "bedrock: {provider: bedrock, base_url: \"https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1\", api_key: \"${AWS_BEARER_TOKEN_BEDROCK}\"}",
        "bedrock-mantle: {provider: bedrock-mantle, base_url: \"https://bedrock-mantle.us-west-2.api.aws/v1\"",
        "base_url: \"https://aiplatform.googleapis.com/v1/projects/p/locations/global/endpoints/openapi\", api_key_command: [gcloud",
        "- {upstream: vertex, model: google/gemini-3-flash}",
        "capabilities: {context_window: 8192, tools: false}",
        "groq: {provider: groq, api_key: \"${GROQ_API_KEY}\", concurrency: 4}",
        "openai-compatible: {provider: openai-compatible, base_url: \"https://llm.example.com/v1\"}",
        "strategy: latency",
        "limits: {requests: 100}",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let e = route(&text, "e");
    assert_eq!(
        e[2..],
        [
            "- {upstream: openai-compatible, model: meta/llama}",
            "- {upstream: groq, model: llama-3.3}"
        ]
    );
    assert!(
        notes.contains("aws_access_key_id (a): requests are not signed"),
        "{notes}"
    );
}

#[test]
fn what_is_no_such_file_is_refused_without_a_word_of_it() {
    for (yaml, why) in [
        ("upstreams: {}", "no model_list"),
        ("model_list: []", "no entry"),
        ("a: [sk-very-secret", "not valid YAML"),
    ] {
        let Err(error) = import(Path::new("config.yaml"), yaml) else {
            panic!("{yaml}");
        };
        let error = format!("{error:#}");
        assert!(error.contains(why) && !error.contains("secret"), "{error}");
    }
}
