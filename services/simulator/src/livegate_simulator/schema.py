"""The Live API's client messages: which fields there are, for `proto.read`.

From the google-genai SDK 3.4 (`types.py`, `_live_converters.py`). A field that is not here is an
unknown name and refused, as Google refuses it.
"""

from livegate_simulator.proto import (
    ANY,
    BOOL,
    BYTES,
    DURATION,
    FLOAT,
    INT,
    STRING,
    STRINGS,
    USER,
    Enum,
    Many,
    Message,
)

BLOB = Message(mime_type=STRING, data=BYTES, display_name=STRING)
_EMPTY = Message()
_FILE = Message(display_name=STRING, file_uri=STRING, mime_type=STRING)
_VIDEO_METADATA = Message(start_offset=DURATION, end_offset=DURATION, fps=FLOAT)
_PART_RESOLUTION = Message(level=STRING, num_tokens=INT)

FUNCTION_RESPONSE = Message(
    id=STRING,
    name=STRING,
    response=USER,
    scheduling=Enum(("SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT")),
    will_continue=BOOL,
    parts=Many(Message(inline_data=BLOB, file_data=_FILE)),
)
_PART = Message(
    text=STRING,
    inline_data=BLOB,
    file_data=_FILE,
    function_call=Message(id=STRING, name=STRING, args=USER),
    function_response=FUNCTION_RESPONSE,
    executable_code=Message(id=STRING, code=STRING, language=STRING),
    code_execution_result=Message(id=STRING, outcome=STRING, output=STRING),
    thought=BOOL,
    thought_signature=BYTES,
    video_metadata=_VIDEO_METADATA,
    media_resolution=_PART_RESOLUTION,
    part_metadata=USER,
)
CONTENT = Message(role=STRING, parts=Many(_PART))

_FUNCTION_DECLARATION = Message(
    name=STRING,
    description=STRING,
    parameters=USER,
    parameters_json_schema=USER,
    response=USER,
    response_json_schema=USER,
    behavior=Enum(("UNSPECIFIED", "BLOCKING", "NON_BLOCKING")),
)
# The options of Google's own tools are not what a gateway breaks: their names are checked, and
# that each is an object.
_TOOL = Message(
    function_declarations=Many(_FUNCTION_DECLARATION),
    google_search=USER,
    google_search_retrieval=USER,
    google_maps=USER,
    enterprise_web_search=USER,
    code_execution=_EMPTY,
    url_context=_EMPTY,
    retrieval=USER,
    computer_use=USER,
    file_search=USER,
    parallel_ai_search=USER,
    exa_ai_search=USER,
    mcp_servers=Many(USER),
)

_PREBUILT_VOICE = Message(voice_name=STRING)
_VOICE = Message(
    prebuilt_voice_config=_PREBUILT_VOICE,
    replicated_voice_config=Message(
        mime_type=STRING,
        voice_sample_audio=BYTES,
        consent_audio=BYTES,
        voice_consent_signature=Message(signature=STRING),
    ),
    voice=STRING,
)
_SPEECH = Message(
    voice_config=_VOICE,
    language_code=STRING,
    multi_speaker_voice_config=Message(
        speaker_voice_configs=Many(Message(speaker=STRING, voice_config=_VOICE))
    ),
)
_TRANSCRIPTION = Message(
    language_codes=Many(STRING),
    language_auto=_EMPTY,
    language_hints=Message(language_codes=Many(STRING)),
    custom_vocabulary=Many(STRING),
    adaptation_phrases=Many(STRING),
    word_timestamp=BOOL,
    diarization=BOOL,
    mode=Enum(("MODE_UNSPECIFIED", "VERBATIM", "SMART")),
    source_text=STRING,
)
_RESOLUTIONS = tuple(
    f"MEDIA_RESOLUTION_{level}" for level in ("UNSPECIFIED", "LOW", "MEDIUM", "HIGH")
)
_GENERATION = Message(
    response_modalities=Many(Enum(("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO", "VIDEO"))),
    temperature=FLOAT,
    top_p=FLOAT,
    top_k=FLOAT,
    candidate_count=INT,
    max_output_tokens=INT,
    stop_sequences=Many(STRING),
    seed=INT,
    presence_penalty=FLOAT,
    frequency_penalty=FLOAT,
    response_logprobs=BOOL,
    logprobs=INT,
    response_mime_type=STRING,
    response_schema=USER,
    response_json_schema=ANY,
    response_format=Many(USER),
    media_resolution=Enum(_RESOLUTIONS),
    speech_config=_SPEECH,
    thinking_config=Message(
        include_thoughts=BOOL,
        thinking_budget=INT,
        thinking_level=Enum(
            ("THINKING_LEVEL_UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "MINIMAL", "XHIGH")
        ),
    ),
    enable_affective_dialog=BOOL,
    translation_config=Message(echo_target_language=BOOL, target_language_code=STRING),
    audio_timestamp=BOOL,
    audio_transcription_config=_TRANSCRIPTION,
    enable_enhanced_civic_answers=BOOL,
    model_selection_config=USER,
    routing_config=USER,
)
_REALTIME_CONFIG = Message(
    automatic_activity_detection=Message(
        disabled=BOOL,
        start_of_speech_sensitivity=Enum(
            tuple(f"START_SENSITIVITY_{level}" for level in ("UNSPECIFIED", "HIGH", "LOW"))
        ),
        end_of_speech_sensitivity=Enum(
            tuple(f"END_SENSITIVITY_{level}" for level in ("UNSPECIFIED", "HIGH", "LOW"))
        ),
        prefix_padding_ms=INT,
        silence_duration_ms=INT,
    ),
    activity_handling=Enum(
        ("ACTIVITY_HANDLING_UNSPECIFIED", "START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION")
    ),
    turn_coverage=Enum(
        (
            "TURN_COVERAGE_UNSPECIFIED",
            "TURN_INCLUDES_ONLY_ACTIVITY",
            "TURN_INCLUDES_ALL_INPUT",
            "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
        )
    ),
    interim_transcript_timestamp_enabled=BOOL,
)
_SAFETY_SETTING = Message(category=STRING, method=STRING, threshold=STRING)

SETUP = Message(
    model=STRING,
    generation_config=_GENERATION,
    system_instruction=CONTENT,
    tools=Many(_TOOL),
    realtime_input_config=_REALTIME_CONFIG,
    session_resumption=Message(handle=STRING, transparent=BOOL),
    context_window_compression=Message(
        trigger_tokens=INT, sliding_window=Message(target_tokens=INT)
    ),
    input_audio_transcription=_TRANSCRIPTION,
    output_audio_transcription=_TRANSCRIPTION,
    proactivity=Message(proactive_audio=BOOL, proactive_video=BOOL),
    explicit_vad_signal=BOOL,
    history_config=Message(initial_history_in_client_content=BOOL),
    avatar_config=Message(
        avatar_name=STRING,
        customized_avatar=Message(image_mime_type=STRING, image_data=BYTES),
        audio_bitrate_bps=INT,
        video_bitrate_bps=INT,
    ),
    safety_settings=Many(_SAFETY_SETTING),
    labels=STRINGS,
)
_REALTIME_INPUT = Message(
    media_chunks=Many(BLOB),
    audio=BLOB,
    video=BLOB,
    text=STRING,
    audio_stream_end=BOOL,
    activity_start=_EMPTY,
    activity_end=_EMPTY,
)
CLIENT_MESSAGE = Message(
    setup=SETUP,
    client_content=Message(turns=Many(CONTENT), turn_complete=BOOL),
    realtime_input=_REALTIME_INPUT,
    tool_response=Message(function_responses=Many(FUNCTION_RESPONSE)),
    context_update=Message(system_instruction=CONTENT, tools=Message(tools=Many(_TOOL))),
)
