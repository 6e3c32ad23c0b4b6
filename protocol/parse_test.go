package protocol_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/finalizer-watchdog/watchdog/protocol"
)

func TestParseReadsEveryRequest(t *testing.T) {
	long := strings.Repeat("é", protocol.MaxID/2)
	for line, want := range map[string]protocol.Request{
		`{"op":"hello","v":1}`: {Op: protocol.OpHello, Version: 1},
		`{"op":"hello","v":1,"name":"orchestrator-0","lease_s":1}`: {Op: protocol.OpHello, Version: 1, Name: "orchestrator-0", Lease: time.Second},
		`{"op":"mark","job":1914,"run":2207,"key":"t-7","task":"ORCH-111","stage":"deploy-staging","role":"worker","token":42}`: {
			Op: protocol.OpMark, Job: "1914", Run: "2207", Key: "t-7", Task: "ORCH-111", Stage: "deploy-staging", Role: "worker", Token: 42},
		`{"op":"mark","job":"1914","run":"r"}`:                  {Op: protocol.OpMark, Job: "1914", Run: "r", Role: "finalizer"},
		`{"op":"mark","job":1,"run":2,"role":""}`:               {Op: protocol.OpMark, Job: "1", Run: "2", Role: "finalizer"},
		`{"op":"mark","job":1,"run":2,"key":null,"token":null}`: {Op: protocol.OpMark, Job: "1", Run: "2", Role: "finalizer"},
		`{"op":"beat"}`: {Op: protocol.OpBeat},
		`{"op":"step","job":1,"token":9007199254740991,"step":"merge","budget_s":1800}`: {
			Op: protocol.OpStep, Job: "1", Token: protocol.MaxToken, Step: "merge", Budget: 30 * time.Minute},
		`{"op":"step","job":1,"token":1,"step":"","budget_s":0}`:      {Op: protocol.OpStep, Job: "1", Token: 1},
		`{"op":"check","job":1,"token":1}`:                            {Op: protocol.OpCheck, Job: "1", Token: 1},
		`{"op":"check","job":1,"token":1,"hold_s":0.0005}`:            {Op: protocol.OpCheck, Job: "1", Token: 1, Hold: 500 * time.Microsecond},
		`{"op":"check","job":1,"token":1,"hold_s":1.001}`:             {Op: protocol.OpCheck, Job: "1", Token: 1, Hold: 1001 * time.Millisecond},
		`{"op":"check","job":1,"token":1,"hold_s":1e-300}`:            {Op: protocol.OpCheck, Job: "1", Token: 1, Hold: 1},
		`{"op":"check","job":1,"token":1,"hold_s":1e9}`:               {Op: protocol.OpCheck, Job: "1", Token: 1, Hold: 1e9 * time.Second},
		`{"op":"clear","job":1,"token":1}`:                            {Op: protocol.OpClear, Job: "1", Token: 1},
		`{"op":"status"}`:                                             {Op: protocol.OpStatus},
		`{"op":"switch","finalizer_liveness":false}`:                  {Op: protocol.OpSwitch},
		`{"op":"switch","finalizer_liveness":true}`:                   {Op: protocol.OpSwitch, FinalizerLiveness: true},
		`{"op":"release-brake"}`:                                      {Op: protocol.OpReleaseBrake},
		`{"op":"beat","id":7}`:                                        {Op: protocol.OpBeat, ID: []byte(`7`)},
		`{"op":"beat","id":"a\nb"}`:                                   {Op: protocol.OpBeat, ID: []byte(`"a\nb"`)},
		`{"op":"beat","id":null}`:                                     {Op: protocol.OpBeat},
		` { "op" : "beat" , "later" : { "a" : [ 1 , { } , [ ] ] } } `: {Op: protocol.OpBeat},
		"{\"op\":\"beat\"}\r":                                         {Op: protocol.OpBeat},
		`{"\u006fp":"\u0062eat"}`:                                     {Op: protocol.OpBeat},
		`{"op":"clear","job":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","token":1}`: {
			Op: protocol.OpClear, Job: "\"\\/\b\f\n\r\té😀", Token: 1},
		`{"op":"clear","job":"` + long + `","token":1}`: {Op: protocol.OpClear, Job: long, Token: 1},
		`{"op":"clear","job":-0,"token":1}`:             {Op: protocol.OpClear, Job: "-0", Token: 1},
		`{"op":"clear","job":123456789012345678901234567890,"token":1}`: {
			Op: protocol.OpClear, Job: "123456789012345678901234567890", Token: 1},
	} {
		got, err := protocol.Parse([]byte(line))
		require.Nil(t, err, "%s: %v", line, err)
		assert.Equal(t, want, got, line)
	}
}

func TestParseRefusesARequestAndKeepsTheConnection(t *testing.T) {
	const span = "is a number of seconds, more than 0 and at most 1e9"
	const integer = "is an integer or a string"
	const token = "is an integer from 1 to 9007199254740991"
	wide := strings.Repeat("a", protocol.MaxText+1)
	for line, want := range map[string]protocol.Error{
		`{}`:            {Code: protocol.BadRequest, Field: "op", Message: "is missing"},
		`{"op":null}`:   {Code: protocol.BadRequest, Field: "op", Message: "is missing"},
		`{"op":7}`:      {Code: protocol.BadRequest, Field: "op", Message: "is a string"},
		`{"op":["a"]}`:  {Code: protocol.BadRequest, Field: "op", Message: "is a string"},
		`{"op":""}`:     {Code: protocol.UnknownOp, Message: `there is no op ""`},
		`{"op":"Beat"}`: {Code: protocol.UnknownOp, Message: `there is no op "Beat"`},
		`{"op":"` + strings.Repeat("x", 200) + `"}`: {Code: protocol.UnknownOp,
			Message: `there is no op "` + strings.Repeat("x", 32) + `"`},

		`{"op":"hello"}`:                             {Code: protocol.BadRequest, Field: "v", Message: "is missing"},
		`{"op":"hello","v":99}`:                      {Code: protocol.UnsupportedVersion, Message: "this watchdog speaks version 1"},
		`{"op":"hello","v":0}`:                       {Code: protocol.UnsupportedVersion, Message: "this watchdog speaks version 1"},
		`{"op":"hello","v":1.0}`:                     {Code: protocol.BadRequest, Field: "v", Message: "is an integer"},
		`{"op":"hello","v":"1"}`:                     {Code: protocol.BadRequest, Field: "v", Message: "is an integer"},
		`{"op":"hello","v":1,"lease_s":0}`:           {Code: protocol.BadRequest, Field: "lease_s", Message: span},
		`{"op":"hello","v":1,"lease_s":"15"}`:        {Code: protocol.BadRequest, Field: "lease_s", Message: span},
		`{"op":"hello","v":1,"name":"` + wide + `"}`: {Code: protocol.BadRequest, Field: "name", Message: "has at most 256 bytes"},

		`{"op":"mark","run":2}`:                   {Code: protocol.BadRequest, Field: "job", Message: "is missing"},
		`{"op":"mark","job":1}`:                   {Code: protocol.BadRequest, Field: "run", Message: "is missing"},
		`{"op":"mark","job":null,"run":2}`:        {Code: protocol.BadRequest, Field: "job", Message: "is missing"},
		`{"op":"mark","job":1.5,"run":2}`:         {Code: protocol.BadRequest, Field: "job", Message: integer},
		`{"op":"mark","job":1e3,"run":2}`:         {Code: protocol.BadRequest, Field: "job", Message: integer},
		`{"op":"mark","job":1E3,"run":2}`:         {Code: protocol.BadRequest, Field: "job", Message: integer},
		`{"op":"mark","job":true,"run":2}`:        {Code: protocol.BadRequest, Field: "job", Message: integer},
		`{"op":"mark","job":{},"run":2}`:          {Code: protocol.BadRequest, Field: "job", Message: integer},
		`{"op":"mark","job":"","run":2}`:          {Code: protocol.BadRequest, Field: "job", Message: "is not empty"},
		`{"op":"mark","job":1,"run":2,"key":7}`:   {Code: protocol.BadRequest, Field: "key", Message: "is a string"},
		`{"op":"mark","job":1,"run":2,"task":7}`:  {Code: protocol.BadRequest, Field: "task", Message: "is a string"},
		`{"op":"mark","job":1,"run":2,"stage":7}`: {Code: protocol.BadRequest, Field: "stage", Message: "is a string"},
		`{"op":"mark","job":1,"run":2,"role":"x"}`: {Code: protocol.BadRequest, Field: "role",
			Message: `is "finalizer" or "worker"`},
		`{"op":"mark","job":1` + strings.Repeat("0", 128) + `,"run":2}`: {Code: protocol.BadRequest, Field: "job",
			Message: "has at most 128 bytes"},
		`{"op":"mark","job":1,"run":"` + strings.Repeat("r", 129) + `"}`: {Code: protocol.BadRequest, Field: "run",
			Message: "has at most 128 bytes"},
		`{"op":"mark","job":1,"run":2,"key":"` + strings.Repeat("k", 129) + `"}`: {Code: protocol.BadRequest, Field: "key",
			Message: "has at most 128 bytes"},
		`{"op":"mark","job":1,"run":2,"stage":"` + wide + `"}`: {Code: protocol.BadRequest, Field: "stage",
			Message: "has at most 256 bytes"},
		`{"op":"mark","job":1,"run":2,"token":0}`:                {Code: protocol.BadRequest, Field: "token", Message: token},
		`{"op":"mark","job":1,"run":2,"token":-1}`:               {Code: protocol.BadRequest, Field: "token", Message: token},
		`{"op":"mark","job":1,"run":2,"token":9007199254740992}`: {Code: protocol.BadRequest, Field: "token", Message: token},
		`{"op":"mark","job":1,"run":2,"token":"42"}`:             {Code: protocol.BadRequest, Field: "token", Message: token},
		`{"op":"mark","job":1,"run":2,"token":4.2e1}`:            {Code: protocol.BadRequest, Field: "token", Message: token},

		`{"op":"step","token":1,"step":"s"}`: {Code: protocol.BadRequest, Field: "job", Message: "is missing"},
		`{"op":"step","job":1,"step":"s"}`:   {Code: protocol.BadRequest, Field: "token", Message: "is missing"},
		`{"op":"step","job":1,"token":1}`:    {Code: protocol.BadRequest, Field: "step", Message: "is missing"},
		`{"op":"step","job":1,"token":1,"step":"s","budget_s":-1}`: {Code: protocol.BadRequest, Field: "budget_s",
			Message: "is a number of seconds from 0 to 1e9"},
		`{"op":"check","job":1,"token":1,"hold_s":0}`:     {Code: protocol.BadRequest, Field: "hold_s", Message: span},
		`{"op":"check","job":1,"token":1,"hold_s":1e10}`:  {Code: protocol.BadRequest, Field: "hold_s", Message: span},
		`{"op":"check","job":1,"token":1,"hold_s":1e999}`: {Code: protocol.BadRequest, Field: "hold_s", Message: span},
		`{"op":"check","job":1}`:                          {Code: protocol.BadRequest, Field: "token", Message: "is missing"},
		`{"op":"clear","job":1}`:                          {Code: protocol.BadRequest, Field: "token", Message: "is missing"},
		`{"op":"clear","token":1}`:                        {Code: protocol.BadRequest, Field: "job", Message: "is missing"},
		`{"op":"switch"}`:                                 {Code: protocol.BadRequest, Field: "finalizer_liveness", Message: "is missing"},
		`{"op":"switch","finalizer_liveness":1}`: {Code: protocol.BadRequest, Field: "finalizer_liveness",
			Message: "is true or false"},

		`{"op":"beat","id":1.5}`:               {Code: protocol.BadRequest, Field: "id", Message: integer},
		`{"op":"beat","id":[1]}`:               {Code: protocol.BadRequest, Field: "id", Message: integer},
		`{"op":"beat","op":"beat"}`:            {Code: protocol.BadRequest, Field: "op", Message: "stands there twice"},
		`{"op":"beat","x":1,"\u0078":2}`:       {Code: protocol.BadRequest, Field: "x", Message: "stands there twice"},
		`{"op":"beat","x":"` + "\xff" + `"}`:   {Code: protocol.BadRequest, Field: "x", Message: "is not valid Unicode"},
		`{"op":"beat","x":["` + "\xff" + `"]}`: {Code: protocol.BadRequest, Field: "x", Message: "is not valid Unicode"},
		`{"op":"beat","` + "\xff" + `":1}`:     {Code: protocol.BadRequest, Message: "a key is not valid Unicode"},
		`{"op":"beat","\ud800":1}`:             {Code: protocol.BadRequest, Message: "a key is not valid Unicode"},
		`{"op":"clear","job":"` + "a\xff" + `","token":1}`: {Code: protocol.BadRequest, Field: "job",
			Message: "is not valid Unicode"},
		`{"op":"clear","job":"\ud800","token":1}`:       {Code: protocol.BadRequest, Field: "job", Message: "is not valid Unicode"},
		`{"op":"clear","job":"\ud800\u0041","token":1}`: {Code: protocol.BadRequest, Field: "job", Message: "is not valid Unicode"},
		`{"op":"clear","job":"\udc00\ud800","token":1}`: {Code: protocol.BadRequest, Field: "job", Message: "is not valid Unicode"},
	} {
		_, err := protocol.Parse([]byte(line))
		if assert.NotNil(t, err, line) {
			assert.Equal(t, want, *err, line)
		}
	}
}

func TestParseEndsTheConnectionOfWhoSpeaksAnotherLanguage(t *testing.T) {
	for _, line := range []string{
		"", " ", "GET / HTTP/1.1", "[]", `[{"op":"beat"}]`, "null", "1", `"beat"`, "true",
		"{", "}", `{"op"}`, `{"op":}`, `{"op":"beat"`, `{"op":"beat",}`, `{"op":"beat"}}`, `{"op":"beat"} x`,
		`{,}`, `{op:"beat"}`, `{'op':'beat'}`, `{"op":"beat" "id":1}`, `{"op":beat}`, `{"op":"be` + "\n" + `at"}`,
		"{\"op\":\"beat\x00\"}", "\x00{\"op\":\"beat\"}", "{\"op\":\"beat\"}\x00", "\xef\xbb\xbf{\"op\":\"beat\"}",
		"\xff\xfe", `{"op":"\x62eat"}`, `{"op":"\u12"}`, `{"op":"\u12g4"}`, `{"op":"\`, `{"op":"\u`, `{"op":"\u1`,
		`{"id":01}`, `{"id":-}`, `{"id":+1}`, `{"id":1.}`, `{"id":.5}`, `{"id":1e}`, `{"id":1e+}`, `{"id":0x1}`, `{"id":NaN}`,
		`{"a":[1,]}`, `{"a":[1 2]}`, `{"a":[}`, `{"a":{]}`, `{"a":tru}`, `{"a":nulll}`, `{"a":fals`,
		strings.Repeat(`{"a":`, 800), strings.Repeat("[", protocol.MaxLine),
	} {
		r, err := protocol.Parse([]byte(line))
		if assert.NotNil(t, err, "%q", line) {
			assert.Equal(t, protocol.Error{Code: protocol.BadRequest, Message: "the line is no JSON object", Fatal: true}, *err, "%q", line)
		}
		assert.Zero(t, r, "%q", line)
	}
}

func TestParseBoundsTheLine(t *testing.T) {
	line := func(size int) []byte {
		const frame = `{"op":"beat","x":""}`
		return []byte(strings.Replace(frame, `""`, `"`+strings.Repeat("x", size-len(frame))+`"`, 1))
	}
	_, err := protocol.Parse(line(protocol.MaxLine))
	assert.Nil(t, err)
	_, err = protocol.Parse(line(protocol.MaxLine + 1))
	assert.Equal(t, protocol.ErrTooLong(), err)
	assert.True(t, err.Fatal)
	_, err = protocol.Parse([]byte(strings.Repeat("x", 1<<20)))
	assert.Equal(t, protocol.ErrTooLong(), err)
}

func TestParseNestsAsDeepAsALineIsLong(t *testing.T) {
	depth := (protocol.MaxLine - len(`{"op":"beat","x":}`)) / 2
	_, err := protocol.Parse([]byte(`{"op":"beat","x":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`))
	assert.Nil(t, err)
}

func TestParseKeepsTheIDOfARefusedRequest(t *testing.T) {
	for _, line := range []string{
		`{"id":7,"op":"nonsense"}`,
		`{"id":7,"op":"mark"}`,
		`{"op":"check","job":1.5,"token":-1,"id":7}`,
		`{"id":7,"id":8,"op":"beat"}`,
		`{"op":"hello","v":99,"id":7}`,
	} {
		r, err := protocol.Parse([]byte(line))
		require.NotNil(t, err, line)
		assert.False(t, err.Fatal, line)
		assert.Equal(t, "7", string(r.ID), line)
	}
	r, err := protocol.Parse([]byte(`{"id":1.5,"op":"beat"}`))
	require.NotNil(t, err)
	assert.Empty(t, r.ID, "an id that is none is not echoed")
}

// The first fault in the order of the line is the one that is told, and a fault of a field goes before one of
// the whole.
func TestParseTellsTheFirstFault(t *testing.T) {
	_, err := protocol.Parse([]byte(`{"op":"mark","token":0,"run":{},"job":{}}`))
	require.NotNil(t, err)
	assert.Equal(t, "token", err.Field)
}
