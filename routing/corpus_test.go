package routing_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/internal/corpus"
	"github.com/serin-go/serin/routing"
)

// theirs is an object without what a rollout owns.
func theirs(t *testing.T, o object, to routing.Target) string {
	t.Helper()
	var doc document
	require.NoError(t, json.Unmarshal(o, &doc))
	delete(doc, "metadata")
	s := doc["spec"].(document)
	s["http"] = slices.DeleteFunc(s["http"].([]any), func(r any) bool {
		rule, _ := r.(document)
		name, _ := rule["name"].(string)
		return strings.HasPrefix(name, "serin/")
	})
	for _, rule := range s["http"].([]any) {
		rule, _ := rule.(document)
		routes, _ := rule["route"].([]any)
		var kept []any
		for _, r := range routes {
			d, _ := r.(document)["destination"].(document)
			headers, _ := json.Marshal(r.(document)["headers"])
			isCanary := strings.Contains(string(headers), to.Arms.Canary.Sets.Value)
			if isCanary && d["host"] == to.Arms.Canary.Host && fmt.Sprint(d["subset"]) == cmp.Or(to.Arms.Canary.Subset, "<nil>") {
				continue
			}
			delete(r.(document), "weight")
			kept = append(kept, r)
		}
		if routes != nil {
			rule["route"] = kept
		}
	}
	b, err := json.Marshal(doc)
	require.NoError(t, err)
	return string(b)
}

// reasons are why an object of other people, or one direction of it, is not
// steered, or cannot have header routes or copies.
var reasons = map[error]string{
	routing.ErrTwice:   "one destination several times, told apart by headers",
	routing.ErrNoShare: "all traffic of the rule goes elsewhere: the destination has no weight",

	routing.ErrDelegate:      "a delegate gets no rules that match on more",
	routing.ErrForeignMirror: "the rule mirrors to somewhere else",
	routing.ErrNoMethod:      "the rule is for none of the methods that are mirrored",
}

// Whatever people wrote: every object with http rules that route is steered there
// and back, from each of its destinations, by nothing but who serves it. Fields that
// nobody knows survive, nothing but what is owned changes, and in the end it is
// what it was.
func TestCorpus(t *testing.T) {
	steered, skipped, undone := 0, map[string]int{}, map[string]int{}
	objects, err := corpus.Load("..")
	require.NoError(t, err)
	for name, text := range objects {
		o := object(text)
		vs := o.typed(t)
		targets := corpus.Directions(vs)
		whole := len(targets) > 0
		if !whole {
			skipped["no http rule routes"]++
		}
		for _, to := range targets {
			h, err := routing.NewHTTP(to)
			if err != nil {
				skipped["not the host of a service"]++
				require.Regexp(t, "is not the host of a service|host is missing", err, "%s: %v", name, to.Arms)
				whole = false
				continue
			}
			if why := refusal(t, h, vs, share(5)); why != "" {
				skipped[why]++
				whole = false
				continue
			}
			after := o
			for _, traffic := range append(derivedCourse(t, h, vs, undone), share(5), share(50), share(100), share(20), canary.Traffic{}) {
				after = after.render(t, h, traffic)
				require.JSONEq(t, theirs(t, o, to), theirs(t, after, to), "%s: %v", name, to.Arms)
			}
			require.JSONEq(t, string(o), string(after), "%s: %v", name, to.Arms)
		}
		if whole {
			steered++
		}
	}
	t.Logf("corpus: %d objects, %d steered", len(objects), steered)
	t.Logf("not: %v", skipped)
	t.Logf("steered without header routes or copies: %v", undone)
	require.Greater(t, steered, len(objects)/2)
}

// derivedCourse is traffic with header routes and copies, as far as the object can have
// them; why not is counted.
func derivedCourse(t *testing.T, h *routing.HTTP, vs *networking.VirtualService, undone map[string]int) []canary.Traffic {
	course := []canary.Traffic{preview, copyAll, {HeaderRoutes: true, Mirror: canary.Full}, {HeaderRoutes: true, Mirror: 1, Canary: canary.Percent}}
	return slices.DeleteFunc(course, func(traffic canary.Traffic) bool {
		why := refusal(t, h, vs, traffic)
		if why != "" {
			undone[why]++
		}
		return why != ""
	})
}

// refusal is why a direction is refused; "" if it is not.
func refusal(t *testing.T, h *routing.HTTP, vs *networking.VirtualService, traffic canary.Traffic) string {
	t.Helper()
	_, err := h.Render(vs, traffic)
	var unsupported *routing.UnsupportedError
	if errors.As(err, &unsupported) {
		return unsupported.Reason
	}
	if err == nil {
		return ""
	}
	for known, why := range reasons {
		if errors.Is(err, known) {
			return why
		}
	}
	require.NoError(t, err)
	return ""
}
