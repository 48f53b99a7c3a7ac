// Package corpus has VirtualServices of other people for tests, and the ways in which
// each of them can be steered.
package corpus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/serin-go/serin/routing"
)

// Load returns the objects as JSON, by file and place: the project's own, and those of the
// corpus where it lies beside the project. The root is that of the project. Objects that
// a rollout steers are left out. Each rule and each destination has a field that no type
// knows.
func Load(root string) (map[string][]byte, error) {
	files, err := filepath.Glob(filepath.Join(root, "routing/testdata/*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no objects below %s: %w", root, err)
	}
	others, err := filepath.Glob(filepath.Join(root, "../shared/corpus/virtualservice/*.yaml"))
	if err != nil {
		return nil, err
	}
	files = append(files, others...)
	all := map[string][]byte{}
	for _, file := range files {
		if err := load(all, file); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return all, nil
}

func load(all map[string][]byte, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for i := 0; ; i++ {
		var doc map[string]any
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		meta, _ := doc["metadata"].(map[string]any)
		if doc["kind"] != "VirtualService" || steered(meta) {
			continue
		}
		if meta["namespace"] == nil {
			meta["namespace"] = "default"
		}
		inject(doc["spec"])
		if all[fmt.Sprintf("%s %d", filepath.Base(file), i)], err = json.Marshal(doc); err != nil {
			return err
		}
	}
}

func steered(meta map[string]any) bool {
	annotations, _ := meta["annotations"].(map[string]any)
	for name := range annotations {
		if strings.HasPrefix(name, "serin-go.github.io/") {
			return true
		}
	}
	return false
}

func inject(spec any) {
	rules, _ := spec.(map[string]any)["http"].([]any)
	for i, rule := range rules {
		rule, _ := rule.(map[string]any)
		if rule == nil {
			continue
		}
		rule["newer"] = map[string]any{"of": i}
		routes, _ := rule["route"].([]any)
		for j, r := range routes {
			r.(map[string]any)["novel"] = j
		}
	}
}

// Directions returns the targets that an object can have: from each of the destinations
// that its http rules send somebody to, to a version that is not there yet.
func Directions(vs *networking.VirtualService) (all []routing.Target) {
	for _, rule := range vs.Spec.Http {
		for _, d := range rule.GetRoute() {
			if len(rule.GetRoute()) > 1 && d.GetWeight() == 0 {
				continue // nobody is served there
			}
			arms := next(d, twins(rule, d))
			if !slices.ContainsFunc(all, func(o routing.Target) bool { return o.Arms == arms }) {
				all = append(all, routing.Target{Namespace: vs.Namespace, Name: vs.Name, ID: "corpus", Arms: arms, Exclusive: true})
			}
		}
	}
	return all
}

// next returns the arms from a destination to its next version. Twins are told by
// the header that they set.
func next(d *api.HTTPRouteDestination, twin bool) routing.Arms {
	stable := routing.Destination{Host: d.GetDestination().GetHost(), Subset: d.GetDestination().GetSubset()}
	to := stable
	if to.Subset += "-next"; stable.Subset == "" {
		host, domain, _ := strings.Cut(stable.Host, ".")
		to = routing.Destination{Host: strings.TrimSuffix(host+"-next."+domain, ".")}
	}
	if twin {
		for name, value := range d.GetHeaders().GetRequest().GetSet() {
			stable.Sets = routing.Header{Name: name, Value: value}
			to = stable
			to.Sets.Value += "-next"
		}
	}
	return routing.Arms{Stable: stable, Canary: to}
}

// twins reports whether a rule has another destination with the same address.
func twins(rule *api.HTTPRoute, d *api.HTTPRouteDestination) bool {
	return slices.ContainsFunc(rule.GetRoute(), func(o *api.HTTPRouteDestination) bool {
		return o != d && o.GetDestination().GetHost() == d.GetDestination().GetHost() && o.GetDestination().GetSubset() == d.GetDestination().GetSubset()
	})
}
