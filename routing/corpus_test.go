package routing_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/routing"
)

// corpus are VirtualServices of other people, or, where that folder is not there, our
// own.
func corpus(t *testing.T) map[string]object {
	t.Helper()
	files, err := filepath.Glob("../../shared/corpus/virtualservice/*.yaml")
	require.NoError(t, err)
	if len(files) == 0 {
		files, err = filepath.Glob("testdata/*.yaml")
		require.NoError(t, err)
	}
	all := map[string]object{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
		for i := 0; ; i++ {
			var doc document
			if err := d.Decode(&doc); errors.Is(err, io.EOF) {
				break
			} else {
				require.NoError(t, err, file)
			}
			if doc["kind"] != "VirtualService" {
				continue
			}
			meta := doc["metadata"].(document)
			if meta["namespace"] == nil {
				meta["namespace"] = "default"
			}
			inject(doc["spec"])
			o, err := json.Marshal(doc)
			require.NoError(t, err)
			all[fmt.Sprintf("%s %d", filepath.Base(file), i)] = o
		}
	}
	return all
}

// inject adds fields that no type knows to each rule and to each of its
// destinations.
func inject(spec any) {
	rules, _ := spec.(document)["http"].([]any)
	for i, rule := range rules {
		rule, _ := rule.(document)
		if rule == nil {
			continue
		}
		rule["newer"] = document{"of": i}
		routes, _ := rule["route"].([]any)
		for j, r := range routes {
			r.(document)["novel"] = j
		}
	}
}

// directions are the targets that an object can have: from each of the
// destinations that its http rules send somebody to, to a version that is not there
// yet.
func directions(vs *networking.VirtualService) (all []routing.Target) {
	for _, rule := range vs.Spec.Http {
		for _, d := range rule.GetRoute() {
			if len(rule.GetRoute()) > 1 && d.GetWeight() == 0 {
				continue // nobody is served there
			}
			stable := routing.Destination{Host: d.GetDestination().GetHost(), Subset: d.GetDestination().GetSubset()}
			next := stable
			if next.Subset += "-next"; stable.Subset == "" {
				host, domain, _ := strings.Cut(stable.Host, ".")
				next = routing.Destination{Host: strings.TrimSuffix(host+"-next."+domain, ".")}
			}
			if twins(rule, d) {
				for name, value := range d.GetHeaders().GetRequest().GetSet() {
					stable.Sets = routing.Header{Name: name, Value: value}
					next = stable
					next.Sets.Value += "-next"
				}
			}
			t := routing.Target{Namespace: vs.Namespace, Name: vs.Name, ID: "corpus", Arms: routing.Arms{Stable: stable, Canary: next}}
			if !slices.ContainsFunc(all, func(o routing.Target) bool { return o.Arms == t.Arms }) {
				all = append(all, t)
			}
		}
	}
	return all
}

// twins reports whether a rule has another destination with the same address.
func twins(rule *api.HTTPRoute, d *api.HTTPRouteDestination) bool {
	return slices.ContainsFunc(rule.GetRoute(), func(o *api.HTTPRouteDestination) bool {
		return o != d && o.GetDestination().GetHost() == d.GetDestination().GetHost() && o.GetDestination().GetSubset() == d.GetDestination().GetSubset()
	})
}

// theirs is an object without what a rollout owns.
func theirs(t *testing.T, o object, to routing.Target) string {
	t.Helper()
	var doc document
	require.NoError(t, json.Unmarshal(o, &doc))
	delete(doc, "metadata")
	for _, rule := range doc["spec"].(document)["http"].([]any) {
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
// steered.
var reasons = map[error]string{
	routing.ErrTwice:   "one destination several times, told apart by headers",
	routing.ErrNoShare: "all traffic of the rule goes elsewhere: the destination has no weight",
}

// Whatever people wrote: every object with http rules that route is steered there
// and back, from each of its destinations, by nothing but who serves it. Fields that
// nobody knows survive, nothing but what is owned changes, and in the end it is
// what it was.
func TestCorpus(t *testing.T) {
	steered, skipped := 0, map[string]int{}
	objects := corpus(t)
	for name, o := range objects {
		vs := o.typed(t)
		targets := directions(vs)
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
			if why := refusal(t, h, vs); why != "" {
				skipped[why]++
				whole = false
				continue
			}
			after := o
			for _, traffic := range []canary.Traffic{share(5), share(50), share(100), share(20), {}} {
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
	require.Greater(t, steered, len(objects)/2)
}

// refusal is why a direction is refused; "" if it is not.
func refusal(t *testing.T, h *routing.HTTP, vs *networking.VirtualService) string {
	t.Helper()
	_, err := h.Render(vs, share(5))
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
