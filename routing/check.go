package routing

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/serin-go/serin/canary"
)

var _ canary.Checker = (*Router)(nil)

// Check implements [canary.Checker]. It renders the traffic of the rollback, of each step,
// of a return in steps and of the full shift to the canary into the present objects, and reports what cannot
// be rendered. It writes nothing.
func (r *Router) Check(ctx context.Context, p canary.Plan) ([]canary.Finding, error) {
	all := []canary.Traffic{{}}
	names := []string{"rollback"}
	for _, step := range p.Steps() {
		all, names = append(all, step.Traffic), append(names, fmt.Sprintf("step %q", step.Name))
	}
	_, shares := p.ReturnInSteps()
	for _, stable := range shares {
		all, names = append(all, canary.Traffic{Canary: canary.Full - stable}), append(names, fmt.Sprintf("return of %v to stable", stable))
	}
	if p.End().Kind != canary.Discard {
		all, names = append(all, canary.Traffic{Canary: canary.Full}), append(names, "full shift")
	}
	var found []canary.Finding
	for _, r := range r.objects {
		o, err := r.get(ctx)
		if errors.Is(err, canary.ErrNotFound) {
			found = append(found, canary.Finding{Problem: fmt.Sprintf("%v does not exist; create it, or correct its name or the namespace of the client", r), Refuses: true})
			continue
		} else if err != nil {
			return found, err
		}
		found = append(found, r.check(o)...)
		var problems []string
		where := map[string][]string{}
		for j, t := range all {
			if _, err := r.render(o, t); err != nil {
				text := err.Error()
				if where[text] == nil {
					problems = append(problems, text)
				}
				where[text] = append(where[text], names[j])
			}
		}
		for _, text := range problems {
			found = append(found, canary.Finding{Problem: strings.Join(where[text], ", ") + ": " + text, Refuses: true})
		}
	}
	return found, nil
}
