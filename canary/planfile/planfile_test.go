package planfile

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/serin-go/serin/canary"
)

func problem(t *testing.T, text string) string {
	t.Helper()
	p, err := Parse([]byte(text))
	require.Error(t, err, "%.200s", text)
	require.Zero(t, p)
	return err.Error()
}

func TestEveryMistakeHasItsLine(t *testing.T) {
	require.Equal(t, `canary: plan "shop": line 4: settle: duration "10": want a form such as 1m30s
line 5: verify: found "yes", want true or false
line 6: drfit: there is no such field; did you mean drift?
line 9: steps 1 "dark launch" hold: duration "1 minute": want a form such as 1m30s
line 10: steps 2 canary: found 20, want a percentage in quotes or with its sign, such as "12.5%"
line 10: steps 2 enterGates: found 7, want a list
line 14: steps 3 "dark launch" name: "dark launch" is the name of step 1 as well; names are unique
line 15: steps 3 "dark launch" hold: the field stands twice
line 16: end: found a list, want an object`, problem(t, `# A plan with
# many mistakes.
name: shop
settle: "10"
verify: yes
drfit: {limit: 3}
steps:
- name: dark launch
  hold: 1 minute
- {canary: 20, enterGates: 7}
-
  hold: 1m
  canary: 100%
  name: dark launch
  hold: 5m
end: [stay]
`))
}

func TestEveryMistakeOfAReturnInStepsHasItsLine(t *testing.T) {
	require.Equal(t, `canary: plan "shop": line 4: returnInSteps hold: duration "five": want a form such as 1m30s
line 6: returnInSteps stable 1: found 10, want a percentage in quotes or with its sign, such as "12.5%"
line 8: returnInSteps stable 3: 20% is not more than the 50% before it
line 9: returnInSteps stabel: there is no such field; did you mean stable?`, problem(t, `name: shop
steps: [{canary: 50%}]
returnInSteps:
  hold: five
  stable:
  - 10
  - 50%
  - 20%
  stabel: [10%]
end: {kind: promote stable}
`))
	plan, err := Parse([]byte("name: shop\nsteps: [{canary: 50%}]\nend: {kind: promote stable}\nreturnInSteps: {hold: 5m, stable: [10%, \"50%\"]}"))
	require.NoError(t, err)
	hold, stable := plan.ReturnInSteps()
	require.Equal(t, 5*time.Minute, hold)
	require.Equal(t, []canary.Weight{10 * canary.Percent, 50 * canary.Percent}, stable)
}

func TestAPlanIsWhatItsJSONIs(t *testing.T) {
	for text, want := range map[string]string{
		"name: p\nsteps: [{canary: 100%}]":                                                                                 `{"name":"p","steps":[{"canary":"100%"}]}`,
		"---\nname: p # a comment\nsteps:\n  - canary: 100%\n...\n":                                                        `{"name":"p","steps":[{"canary":"100%"}]}`,
		"\ufeffname: p\r\nsteps:\r\n- canary: 100%\r\n":                                                                    `{"name":"p","steps":[{"canary":"100%"}]}`,
		"name: !!str 20\nverify: True\ndrift: {limit: 0x10}\nsteps: [{canary: 100%}]":                                      `{"name":"20","verify":true,"drift":{"limit":16},"steps":[{"canary":"100%"}]}`,
		"name: 2026-01-02\nowner: yes\nsteps: [{canary: 100%, deadline: 1h}]\nend:\n  kind: >-\n    promote\n    stable\n": `{"name":"2026-01-02","owner":"yes","steps":[{"canary":"100%","deadline":"1h"}],"end":{"kind":"promote stable"}}`,
		"name: \"<\\u2028&\"\nsteps:\n- canary: 100%\n  name: |-\n    a\n":                                                 `{"name":"<\u2028&","steps":[{"canary":"100%","name":"a"}]}`,
		"name: &n p\nowner: *n\nsteps: [{canary: 100%}]":                                                                   `{"name":"p","owner":"p","steps":[{"canary":"100%"}]}`,
		"name: p\nsteps:\n- &a {name: a, canary: 1%, hold: 1m}\n- {<<: *a, name: b, canary: 100%}":                         `{"name":"p","steps":[{"name":"a","canary":"1%","hold":"1m"},{"name":"b","canary":"100%","hold":"1m"}]}`,
		"name: p\nsteps:\n- &a {name: a, canary: 1%, hold: 1m}\n- &b {canary: 2%, <<: *a, name: b, leaveGates: [g]}\n- {name: c, <<: [*b, {hold: 2m, deadline: 1h}], canary: 100%}": `{"name":"p","steps":[{"name":"a","canary":"1%","hold":"1m"},{"name":"b","canary":"2%","hold":"1m","leaveGates":["g"]},{"name":"c","canary":"100%","hold":"1m","leaveGates":["g"],"deadline":"1h"}]}`,
		"{\"name\":\t\"\\ud83d\\ude00\",\n\t\"steps\":[{\"canary\":\"100%\"}]}":                                                                                                     `{"name":"😀","steps":[{"canary":"100%"}]}`,
	} {
		got, err := Parse([]byte(text))
		require.NoError(t, err, text)
		var wanted canary.Plan
		require.NoError(t, json.Unmarshal([]byte(want), &wanted))
		require.Equal(t, wanted, got, text)
	}
}

func TestTheExampleIsReadAsOtherParsersReadIt(t *testing.T) {
	for _, file := range []string{"plan.yaml", "plan-fast.yaml"} {
		text, err := os.ReadFile("../../examples/quickstart/" + file)
		require.NoError(t, err)
		got, err := Parse(text)
		require.NoError(t, err)
		var want canary.Plan
		require.NoError(t, yaml.UnmarshalStrict(text, &want))
		require.Equal(t, want, got)
	}
}

func TestWhatIsNoPlanAtAllIsAnError(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "canary: plan: the document is empty",
		"# nothing\n":                       "canary: plan: the document is empty",
		"---\n":                             "canary: plan: the document is empty",
		"null":                              "canary: plan: the document is empty",
		"~\n":                               "canary: plan: the document is empty",
		"hello":                             `found "hello", want an object`,
		"- a\n- b\n":                        "line 1: found a list, want an object",
		"\n\n42":                            "line 3: found 42, want an object",
		"name: p\n---\nname: q":             "planfile: line 2: a second document begins",
		"name: p\n\tsteps: a":               "planfile: line 2: found",
		"name: [p\nsteps: a":                "planfile: line ",
		"name: *p":                          "planfile: unknown anchor 'p' referenced",
		"name: p\n? [a]\n: b":               "planfile: line 2: a list or map cannot be the name of a field",
		"name: p\nowner: !!binary aGk=":     `planfile: line 2: the tag "!!binary" is not allowed in a plan`,
		"name: p\nsteps: !steps [a]":        `planfile: line 2: the tag "!steps" is not allowed in a plan`,
		"name: !!int p":                     `planfile: line 1: "p" is not a valid !!int`,
		"name: p\nsteps:\n- {<<: p}":        "planfile: line 3: the merge key << needs a map or a list of maps",
		"name: p\nsteps: &a [*a]":           "planfile: line 2: lists and maps are nested more than 16 levels deep",
		"name: p\nsteps: &a [{<<: *a}]":     "planfile: line 2: lists and maps are nested more than 16 levels deep",
		"name: p\nend: &a {<<: *a}":         "planfile: line 2: lists and maps are nested more than 16 levels deep",
		"name: p\nend: &a {<<: *a, <<: *a}": "planfile: line 2: lists and maps are nested more than 16 levels deep",
		"name: \xff":                        "planfile: the text is not UTF-8",
		"name: p\nname: q\nsteps: []":       "line 2: name: the field stands twice",
		"name: p\ndrift: {limit: 1e400}\nsteps: [{canary: .nan}]": `line 2: drift limit: found "1e400"`,
		"name: p\nsteps:\n- canary: 100%\n  hold:\n":              "line 4: steps 1 hold: found null, want a duration",
		"name: p\ntrue: 1\n": "line 2: true: there is no such field",
		"x: &x {canary: 1%}\nname: p\nsteps:\n- <<: *x\n  hold: 1":           "line 1: x: there is no such field",
		"name: p\nsteps:\n- &x {canary: 1, name: a}\n-\n  <<: *x\n  name: b": `line 5: steps 2 "b" canary: found 1`,
		"name: p\n" + strings.Repeat(" ", maxSize):                           "planfile: 1048584 bytes, at most 1048576",
	} {
		require.Contains(t, problem(t, text), want, "%.200s", text)
	}
}

// A file of any form costs memory, and so time, in proportion to its length, whatever its aliases
// stand for, and its error stays short.
func TestNoFileIsAnAttack(t *testing.T) {
	fill := func(one string) string { return strings.Repeat(one, (maxSize-100)/len(one)) }
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
	merges := "a0: &a0 {x0: 1, x1: 1, x2: 1, x3: 1}\n"
	var tags strings.Builder
	for i := range 13 {
		bomb += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 9), i)
		merges += fmt.Sprintf("a%d: &a%d {<<: [%s*a%d]}\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 9), i)
	}
	for i := 0; tags.Len() < maxSize-100; i++ {
		fmt.Fprintf(&tags, "%%TAG !a%d! tag:x\n", i)
	}
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "k%d: 1, ", i)
		}
		return b.String()
	}
	for what, c := range map[string]struct{ text, want string }{
		"a bomb of lists":   {bomb, "when aliases are expanded"},
		"a bomb of merges":  {merges, "when aliases are expanded"},
		"long merges":       {"a: &a {" + keys(40_000) + "}\nb: {<<: [" + strings.Repeat("*a, ", 100_000) + "]}", "when aliases are expanded"},
		"a long text often": {"a: &a " + strings.Repeat("x", 100_000) + "\nb: [" + strings.Repeat("*a, ", 100_000) + "]", "when aliases are expanded"},
		"deep lists":        {fill("["), "exceeded max depth"},
		"deep items":        {fill("- "), "exceeded max depth"},
		"deeper than JSON":  {strings.Repeat("[", 17) + "a" + strings.Repeat("]", 17), "nested more than 16 levels deep"},
		"fields":            {fill("ab: c\n"), "more"},
		"steps":             {"name: p\nsteps:\n" + fill("- {}\n"), "entries, at most 1000 are allowed"},
		"tags":              {tags.String() + "--- a", "too many %TAG directives"},
		"a long tag":        {"name: !" + fill("t") + " p", "is not allowed in a plan"},
		"a long key":        {"? " + fill("k") + "\n: v", "kkk...: there is no such field"},
		"a long anchor":     {"name: *" + fill("a"), "unknown anchor"},
	} {
		t.Run(what, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := problem(t, c.text)
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(250*maxSize), "bytes of memory")
			require.Contains(t, got, c.want)
			require.Less(t, len(got), 16<<10)
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"name: p\nsteps:\n- &a {canary: 1%, hold: 1m}\n- {<<: *a, canary: 100%}\nend: {kind: promote stable}\n",
		"name: p\nsteps: [{canary: 20}, [], {<<: [*a]}]", "a: &a [*a]", "? !!str [a]\n: - |\n  b\n", "name: 'p'\r\nsteps: ~\n---\n...", `{"name":"\ud83d\ude00","steps":[{"canary":"100%"}]}`,
		"name: 0x1F\ndrift: {limit: 0o7}\nsteps: [{canary: .inf}]\n# end",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			require.Less(t, len(err.Error()), 64<<10)
			require.True(t, utf8.ValidString(err.Error()), "%q", err)
			require.Zero(t, p)
			return
		}
		encoded, err := json.Marshal(p)
		require.NoError(t, err)
		back, err := Parse(encoded)
		require.NoError(t, err)
		require.Equal(t, p.Digest(), back.Digest())
	})
}
