package canary

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func planError(t *testing.T, text string) string {
	t.Helper()
	var p Plan
	err := p.UnmarshalJSON([]byte(text))
	require.Error(t, err, clip(text, 200))
	require.Zero(t, p)
	return err.Error()
}

func TestEveryMistakeOfAPlanIsToldInTheOrderOfTheDocument(t *testing.T) {
	require.Equal(t, `canary: plan "shop": line 3: owner: found 7, want a string in quotes
line 4: settle: duration "ten": want a form such as 1m30s
line 5: verify: found "yes", want true or false
line 6: interval: -1s is negative
line 7: drift limit: found 1.5, want a whole number of at most 64 bits
line 9: steps 1 "dark" hold: -1m0s is negative
line 10: steps 2 canary: found 20, want a percentage in quotes or with its sign, such as "12.5%"
line 10: steps 2 hodl: there is no such field; did you mean hold?
line 11: steps 3 "dark" name: "dark" is the name of step 1 as well; names are unique
line 11: steps 3 "dark" leaveGates: found null, want a list; leave the field out for its zero value
line 12: steps 4: found a list, want an object
line 14: end: found a list, want an object
line 15: name: the field stands twice
line 16: weather: there is no such field; want one of name, revision, owner, settle, scrapeLag, interval, bake, verify, headerRoutes, drift, onChange, blindLimit, errorLimit, pauseLimit, steps, end, returnInSteps`,
		planError(t, `{
"name": "p",
"owner": 7,
"settle": "ten",
"verify": "yes",
"interval": "-1s",
"drift": {"limit": 1.5},
"steps": [
	{"name": "dark", "mirror": "100%", "hold": "-1m", "requires": "no failure"},
	{"canary": 20, "hodl": "1m"},
	{"name": "dark", "canary": "5%", "leaveGates": null},
	[]
],
"end": [],
"name": "shop",
"weather": "fair"
}
`))
}

func TestAMistakeHasNoFalseFollower(t *testing.T) {
	for text, want := range map[string]string{
		`{"name":"p","step":[{"canary":"100%"}]}`:                                      "step: there is no such field; did you mean steps?",
		`{"name":"p","steps":{}}`:                                                      "steps: found an object, want a list",
		`{"nam":"p","steps":[{"canary":"100%"}]}`:                                      "nam: there is no such field; did you mean name?",
		`{"name":"p","steps":[{"canary":100}]}`:                                        `steps 1 canary: found 100, want a percentage in quotes or with its sign, such as "12.5%"`,
		`{"name":"p","steps":[{"canery":"100%"}]}`:                                     "steps 1 canery: there is no such field; did you mean canary?",
		`{"name":"p","steps":[{"canary":"1%"}],"end":{"kind":"away"}}`:                 `end kind: end "away" is not known; want one of stay, promote stable, discard`,
		`{"name":"p","steps":[{"canary":"100%","hold":"1h","deadline":5}]}`:            "steps 1 deadline: found 5, want a duration such as 1m30s",
		`{"name":"p","steps":[{"canary":"100%","deadlin":"1h","onDeadline":"pause"}]}`: "steps 1 deadlin: there is no such field; did you mean deadline?",
		`{"name":"p","steps":[{"name":3,"canary":"1%"},{"canary":"100%","name":4}]}`:   "steps 1 name: found 3, want a string in quotes\nsteps 2 name: found 4, want a string in quotes",
		`[]`: "found a list, want an object",
	} {
		_, got, _ := strings.Cut(planError(t, text), `": `)
		require.Equal(t, want, got, text)
	}
}

func TestWhatIsNoDocumentIsToldByItself(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "the document is empty",
		" null\n":                       "the document is empty",
		" \n\t":                         "the document is empty",
		`{"name":"p"`:                   "the document ends too early",
		"{\"name\":\n\"p\",":            "line 2: the document ends too early",
		`{"name":"p"} {}`:               "something follows the end of the document",
		"{}\n\n x":                      "line 3: something follows the end of the document",
		"{\"name\":\"p\"\n\n x}":        "line 3: invalid character 'x' after object key:value pair",
		"{\n\"name\":\n  tru\n}":        "line 3: invalid character",
		strings.Repeat(" ", maxPlan+1):  "1048577 bytes, at most 1048576 are allowed",
		strings.Repeat("[", maxDepth+1): "more than 16 levels of lists and objects",
	} {
		require.Contains(t, planError(t, text), "canary: plan: "+want, clip(text, 40))
	}
	require.Contains(t, planError(t, strings.Repeat("[", maxDepth)+strings.Repeat("]", maxDepth)), "found a list, want an object")
}

// A document of any form costs memory, and so time, in proportion to its length, and
// its error stays short.
func TestNoDocumentIsAnAttack(t *testing.T) {
	fill := func(one string) string { return strings.Repeat(one, (maxPlan-100)/len(one)) }
	key := `{"` + strings.Repeat("a", 40) + `":`
	for what, c := range map[string]struct{ text, want string }{
		"deep":           {`{"name":"p","steps":[` + strings.Repeat(key, 9990) + "1" + strings.Repeat("}", 9990) + `]}`, "more than 16 levels"},
		"many steps":     {`{"name":"p","steps":[` + fill("{},") + `{}]}`, "entries, at most 1000 are allowed"},
		"wrong steps":    {`{"name":"p","steps":[` + strings.Repeat("{},", maxSteps-1) + `{}]}`, "and 1970 more"}, // no judge, the same name, and the end
		"worse steps":    {`{"name":"p","steps":[` + strings.Repeat("[],", maxSteps-1) + `[]]}`, "and 970 more"},
		"unknown fields": {`{"name":"p",` + fill(`"nome":1,`) + `"steps":[]}`, " more"},
		"one field":      {`{"name":"p","steps":[{` + fill(`"hold":1,`) + `"hold":1}]}`, " more"},
		"one long name":  {`{"name":"p","` + fill("n") + `":1}`, "nnn...: there is no such field"},
		"long names":     {`{"name":"` + fill("n") + `"}`, "name: it has more than 128 bytes"},
		"a long step":    {`{"name":"p","steps":[{"name":"` + fill("n") + `","hold":5}]}`, `nnn..." hold: found 5`},
		"a long weight":  {`{"name":"p","steps":[{"canary":"` + fill("9") + `"}]}`, `999..."`},
		"a long number":  {`{"name":"p","interval":` + fill("9") + `}`, "found 9999"},
		"commas":         {`[` + fill("0,") + `0]`, "found a list"},
	} {
		t.Run(what, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := planError(t, c.text)
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(250*maxPlan), "bytes of memory")
			require.Contains(t, got, c.want)
			require.Less(t, len(got), 16<<10)
		})
	}
}

func TestABuilderOfManyStepsIsNotCopiedForEach(t *testing.T) {
	const steps = 20_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b := NewPlan("p")
	for range steps {
		b = b.Step(Step{Traffic: Traffic{Canary: Full}})
	}
	_, err := b.Build()
	runtime.ReadMemStats(&after)
	require.EqualError(t, err, `canary: plan "p": steps: 20000 entries, at most 1000 are allowed`)
	require.Less(t, (after.TotalAlloc-before.TotalAlloc)/steps, uint64(1000), "bytes of memory for each")
}

func TestTheDecoderKnowsTypesByTheirTagsAlone(t *testing.T) {
	type inner struct {
		Deep int `json:"deep"`
	}
	var doc struct {
		inner
		Labels  map[string]Weight `json:"labels,omitempty"`
		Raw     json.RawMessage   `json:"raw,omitzero"`
		Pointer *inner            `json:"pointer"`
		Number  float64           `json:"number"`
		At      time.Time         `json:"at"`
		Plain   []string
		Hidden  int `json:"-"`
		private int
	}
	read := func(text string) error {
		root, err := parse([]byte(text))
		require.NoError(t, err)
		d := decode(root, &doc)
		return told(d.wrong, d.more, []byte(text))
	}
	require.NoError(t, read(`{"deep":1,"labels":{"a":"1%","b":"2%"},"raw":{"x": [1]},"pointer":{"deep":2},"number":1e3,"at":"2026-01-01T00:00:00Z","plain":["\u00e9",""]}`))
	require.Equal(t, 1, doc.Deep)
	require.Equal(t, map[string]Weight{"a": Percent, "b": 2 * Percent}, doc.Labels)
	require.JSONEq(t, `{"x":[1]}`, string(doc.Raw))
	require.Equal(t, &inner{2}, doc.Pointer)
	require.Equal(t, 1000.0, doc.Number)
	require.Equal(t, []string{"é", ""}, doc.Plain)
	for text, want := range map[string]string{
		`{"labels":{"a":"1%","a":"2"}}`: "labels a: the field stands twice\nlabels a: weight \"2\": want a percentage such as \"12.5%\"",
		`{"labels":[]}`:                 "labels: found a list, want an object",
		`{"pointer":{"deep":"x"}}`:      "pointer deep: found \"x\", want a whole number of at most 64 bits",
		`{"pointer":null}`:              "pointer: found null, want an object; leave the field out for its zero value",
		`{"number":true}`:               "number: found true, want a number",
		`{"plain":[1,{}]}`:              "plain 1: found 1, want a string in quotes\nplain 2: found an object, want a string in quotes",
		`{"at":1}`:                      "at: found 1, want a string in quotes",
		`{"hidden":1}`:                  "hidden: there is no such field",
		`{"private":1}`:                 "private: there is no such field",
		`{"inner":1}`:                   "inner: there is no such field",
		`{"de\u0000 p":1}`:              `"de\x00 p": there is no such field`,
		`{"":1}`:                        `"": there is no such field`,
	} {
		require.ErrorContains(t, read(text), want, text)
	}
}

func TestTheNearestWordIsFound(t *testing.T) {
	names := []string{"name", "steps", "hold", "blindLimit"}
	for word, want := range map[string]string{
		"step": "steps", "Stepz": "steps", "hodl": "hold", "holdd": "hold", "blidnLimit": "blindLimit", "blindlimit": "blindLimit",
		"weather": "", "": "", "x": "", "stp": "steps", strings.Repeat("n", 1000): "",
	} {
		require.Equal(t, want, nearest(word, names), word)
	}
	require.Equal(t, 3, distance("kitten", "sitting"))
	require.Equal(t, 5, distance("", "steps"))
}

func BenchmarkDecodePlan(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		var steps []string
		for i := range n {
			steps = append(steps, fmt.Sprintf(`{"name":"step %d","canary":"20%%","hold":"10m","deadline":"1h"}`, i))
		}
		text := []byte(`{"name":"p","end":{"kind":"discard"},"steps":[` + strings.Join(steps, ",") + `]}`)
		b.Run(fmt.Sprintf("%d steps", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var p Plan
				if err := p.UnmarshalJSON(text); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/step")
		})
	}
}
