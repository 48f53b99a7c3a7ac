package apiserver

import "fmt"

// istioMistakes is what Istio's webhook refuses of a spec whose structure is right, worded much as there.
func istioMistakes(kind string, spec map[string]any) []string {
	switch kind {
	case "VirtualService":
		return virtualServiceMistakes(spec)
	case "DestinationRule":
		return destinationRuleMistakes(spec)
	}
	return nil
}

func virtualServiceMistakes(spec map[string]any) []string {
	var found []string
	for _, rule := range objectsIn(spec, "http") {
		found = append(found, actionMistakes(rule)...)
		found = append(found, mirrorMistakes(rule)...)
		found = append(found, weightMistakes(objectsIn(rule, "route"))...)
	}
	for _, kind := range []string{"tcp", "tls"} {
		for _, rule := range objectsIn(spec, kind) {
			found = append(found, weightMistakes(objectsIn(rule, "route"))...)
		}
	}
	return found
}

// actionMistakes looks at what a rule does with a request: there is to be exactly one thing.
func actionMistakes(rule map[string]any) []string {
	if _, ok := rule["delegate"]; ok {
		return delegateMistakes(rule)
	}
	_, redirect := rule["redirect"]
	_, direct := rule["directResponse"]
	route := len(objectsIn(rule, "route")) > 0
	var found []string
	for _, m := range []struct {
		is   bool
		text string
	}{
		{redirect && route, "HTTP route cannot contain both route and redirect"},
		{direct && route, "HTTP route cannot contain both route and direct_response"},
		{direct && redirect, "HTTP route rule cannot contain both direct_response and redirect"},
		{!direct && !redirect && !route, "HTTP route, redirect or direct_response is required"},
	} {
		if m.is {
			found = append(found, m.text)
		}
	}
	return found
}

func delegateMistakes(rule map[string]any) []string {
	var found []string
	for _, name := range []string{"redirect", "directResponse", "route"} {
		if _, ok := rule[name]; ok {
			found = append(found, fmt.Sprintf("root HTTP route %s must not specify %s", text(rule, "name"), protoName(name)))
		}
	}
	return found
}

func protoName(name string) string {
	if name == "directResponse" {
		return "direct_response"
	}
	return name
}

func mirrorMistakes(rule map[string]any) []string {
	var found []string
	mirrors := objectsIn(rule, "mirrors")
	if _, ok := rule["mirror"]; ok && len(mirrors) > 0 {
		found = append(found, "HTTP route cannot contain both mirror and mirrors")
	}
	if n := number(rule["mirrorPercent"]); n > 100 {
		found = append(found, fmt.Sprintf("mirror_percent must have a max value of 100 (it has %.0f)", n))
	}
	found = append(found, percentMistakes("mirror_percentage", rule["mirrorPercentage"])...)
	for _, m := range mirrors {
		found = append(found, percentMistakes("mirror percentage", m["percentage"])...)
	}
	return found
}

func percentMistakes(name string, percent any) []string {
	p, _ := percent.(map[string]any)
	switch n := number(p["value"]); {
	case n > 100:
		return []string{fmt.Sprintf("%s must have a max value of 100 (it has %f)", name, n)}
	case n < 0:
		return []string{fmt.Sprintf("%s must have a min value of 0 (it has %f)", name, n)}
	}
	return nil
}

func weightMistakes(destinations []map[string]any) []string {
	var found []string
	total := 0.0
	for _, d := range destinations {
		weight := number(d["weight"])
		if weight < 0 {
			found = append(found, fmt.Sprintf("weight %.0f < 0", weight))
		}
		total += weight
	}
	if len(destinations) > 1 && total == 0 {
		found = append(found, "total destination weight = 0")
	}
	return found
}

func destinationRuleMistakes(spec map[string]any) []string {
	var found []string
	seen := map[string]bool{}
	for _, subset := range objectsIn(spec, "subsets") {
		name := text(subset, "name")
		if seen[name] {
			found = append(found, fmt.Sprintf("duplicate subset names: %s", name))
		}
		seen[name] = true
	}
	return found
}

// objectsIn returns the objects in a list that is a member of a tree.
func objectsIn(tree map[string]any, name string) []map[string]any {
	items, _ := tree[name].([]any)
	var found []map[string]any
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			found = append(found, m)
		}
	}
	return found
}

func number(value any) float64 {
	switch n := value.(type) {
	case int64:
		return float64(n)
	case float64:
		return n
	}
	return 0
}
