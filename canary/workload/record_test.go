package workload

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/serin-go/serin/canary"
)

func TestARecordThatNoPromotionWroteIsNotActedOn(t *testing.T) {
	for text, why := range map[string]string{
		``:                                    "EOF",
		`{"serial":1} {}`:                     "more than one JSON value",
		`{"serial":1,"newer":true}`:           "unknown field",
		`{"serial":-1}`:                       "the serial is negative",
		`{"serial":1,"images":{"app":"a:1"}}`: "it has images or a template, but no canary",
		`{"serial":1,"canary":"x"}`:           "either images or a template",
		`{"serial":1,"canary":"x","images":{"app":""}}`:                                        `container "app" has image ""`,
		`{"serial":1,"canary":"x","template":{"metadata":{},"spec":{"containers":[]}}}`:        "no containers",
		`{"serial":1,"canary":"x","template":{"spec":{"containers":[{"name":"a"}],"new":1}}}`:  "unknown field",
		`{"serial":1,"rollout":"` + strings.Repeat("x", maxRecord) + `"}`:                      "at most 262144 are allowed",
		`{"serial":1,"canary":"x","images":{"a":"b"},"template":{"spec":{"containers":[{}]}}}`: "either images or a template",
	} {
		d := &appsv1.Deployment{}
		d.Annotations = map[string]string{Annotation: text}
		_, err := readRecord(d)
		require.ErrorIs(t, err, canary.ErrBadState, text)
		require.ErrorContains(t, err, why)
	}
}

func FuzzARecordReadIsWrittenTheSame(f *testing.F) {
	f.Add(`{"serial":7}`)
	f.Add(`{"rollout":"42","serial":7,"canary":"x","images":{"app":"a:1"}}`)
	f.Add(`{"serial":7,"canary":"x","template":{"spec":{"containers":[{"name":"app","ports":[{"containerPort":80}]}]}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRecord(text)
		if err != nil {
			return
		}
		first, err := json.Marshal(r)
		require.NoError(t, err)
		again, err := parseRecord(string(first))
		require.NoError(t, err)
		second, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
	})
}

// patched returns what a server makes of a Deployment, with the fields that the
// types do not know, when it gets the template and a record.
func patched(t *testing.T, before, to string) string {
	var d, want appsv1.Deployment
	require.NoError(t, json.Unmarshal([]byte(before), &d))
	require.NoError(t, json.Unmarshal([]byte(to), &want))
	copied := d.DeepCopy()
	data, err := patchOf(&d, record{}, move{template: &want.Spec.Template, record: record{Fence: canary.Fence{Rollout: "a", Serial: 7}}})
	require.NoError(t, err)
	require.Equal(t, copied, &d, "the argument is not changed")
	p, err := jsonpatch.DecodePatch(data)
	require.NoError(t, err)
	after, err := p.Apply([]byte(before))
	require.NoError(t, err)
	return string(after)
}

func TestAPatchKeepsWhatTheTypesDoNotKnow(t *testing.T) {
	const before = `{"metadata":{"resourceVersion":"5","annotations":{"a/b":"c"},"new":1},"spec":{"new":2,"template":{
		"metadata":{"annotations":{"old":"x","kept":"y"}},
		"spec":{"new":3,"nodeSelector":{"a~b/c":"d"},"terminationGracePeriodSeconds":30,
		"containers":[{"name":"app","image":"a:1","new":4,"args":["x"]},{"name":"side","image":"s:1","new":5}]}}}}`
	const to = `{"spec":{"template":{"metadata":{"annotations":{"kept":"z","added":"w"}},
		"spec":{"nodeSelector":{"a~b/c":"e"},"hostNetwork":true,
		"containers":[{"name":"app","image":"a:2","args":["x","y"]},{"name":"side","image":"s:1"}]}}}}`
	require.JSONEq(t, `{"metadata":{"resourceVersion":"5","annotations":{"a/b":"c","`+Annotation+`":"{\"rollout\":\"a\",\"serial\":7}"},"new":1},"spec":{"new":2,"template":{
		"metadata":{"annotations":{"kept":"z","added":"w"}},
		"spec":{"new":3,"nodeSelector":{"a~b/c":"e"},"hostNetwork":true,
		"containers":[{"name":"app","image":"a:2","new":4,"args":["x","y"]},{"name":"side","image":"s:1","new":5}]}}}}`,
		patched(t, before, to))
}

func TestAPatchDoesNotGiveOneContainersFieldsToAnother(t *testing.T) {
	const before = `{"metadata":{"resourceVersion":"5"},"spec":{"template":{"spec":{"containers":[{"name":"app","new":4},{"name":"side"}]}}}}`
	const to = `{"spec":{"template":{"spec":{"containers":[{"name":"side"},{"name":"app"}]}}}}`
	require.JSONEq(t, `{"metadata":{"resourceVersion":"5","annotations":{"`+Annotation+`":"{\"rollout\":\"a\",\"serial\":7}"}},"spec":{"template":{
		"spec":{"containers":[{"name":"side","resources":{}},{"name":"app","resources":{}}]}}}}`, patched(t, before, to))
}
