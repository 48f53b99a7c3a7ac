package routing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/serin-go/serin/canary"
)

// Getter reads an object. Every client of client-go is one.
type Getter[T any] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*T, error)
}

// Lister lists objects. Every client of client-go is one.
type Lister[L any] interface {
	List(ctx context.Context, opts metav1.ListOptions) (*L, error)
}

// PathsConfig configures Paths.
type PathsConfig struct {
	// Target is that of the Router. Hosts of other namespaces, and those outside of the cluster,
	// are not looked at.
	Target Target
	// Services must be a client for the Target's Namespace. DestinationRules may be one for all
	// namespaces: then those of clients' own namespaces are looked at too.
	Services         Getter[corev1.Service]
	DestinationRules Lister[networking.DestinationRuleList]
	// Deployments, if it is set, is a client for the Target's Namespace. Stable and Canary are the
	// Deployments whose pods are to be reached.
	Deployments    Getter[appsv1.Deployment]
	Stable, Canary string
	// Provided are subsets that a [Subsets] adds before the first share.
	Provided []Subset
}

// Paths is a [canary.Checker] that looks whether users can reach the arms: whether the Service, its
// port and the subset exist, and lead to the arm's pods. What is missing answers 503 to each request
// that it gets. Give it to Config.Checks.
//
// It looks before a rollout; [sequential.Reach] sees what breaks later. It is safe for concurrent use
// if its clients are.
//
// [sequential.Reach]: https://pkg.go.dev/github.com/serin-go/serin/analysis/sequential#Reach
type Paths struct {
	c      PathsConfig
	target *HTTP
}

var _ canary.Checker = (*Paths)(nil)

// NewPaths returns the Checker, or an error with every mistake in c.
func NewPaths(c PathsConfig) (*Paths, error) {
	h, err := NewHTTP(c.Target)
	errs := []error{err}
	if isNil(c.Services) || isNil(c.DestinationRules) {
		errs = append(errs, errors.New("a client for Services or DestinationRules is missing"))
	}
	if all := c.Stable != "" && c.Canary != ""; all != (c.Deployments != nil) || all != (c.Stable != "" || c.Canary != "") {
		errs = append(errs, errors.New("the client of Deployments needs the names of both, Stable and Canary, and they need it"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("routing: paths: %w", err)
	}
	return &Paths{c, h}, nil
}

// Check implements [canary.Checker].
func (p *Paths) Check(ctx context.Context, _ canary.Plan) (found []canary.Finding, err error) {
	rules, err := p.c.DestinationRules.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("routing: paths: DestinationRules: %w", err)
	}
	seen := map[string]bool{}
	for _, places := range append(slices.Clip(p.target.own), p.target.common) {
		for arm := range places {
			at := &places[arm]
			name, ok := strings.CutSuffix(at.full, p.target.suffix)
			if key := fmt.Sprint(arm, at.key, at.Port); at.full == "" || !ok || seen[key] {
				continue
			} else {
				seen[key] = true
			}
			some, err := p.checkArm(ctx, arm, at, name, rules.Items)
			if err != nil {
				return found, fmt.Errorf("routing: paths: %s: %w", armNames[arm], err)
			}
			for _, f := range some {
				f.Problem = fmt.Sprintf("%s, %v: %s", armNames[arm], at.Destination, f.Problem)
				found = append(found, f)
			}
		}
	}
	return found, nil
}

func refuse(format string, args ...any) []canary.Finding {
	return []canary.Finding{{Problem: fmt.Sprintf(format, args...), Refuses: true}}
}

func (p *Paths) checkArm(ctx context.Context, arm int, at *place, name string, rules []*networking.DestinationRule) ([]canary.Finding, error) {
	service, err := p.c.Services.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return refuse("there is no Service %s/%s; create it, or correct the host", p.c.Target.Namespace, name), nil
	case err != nil:
		return nil, err
	}
	var ports []string
	for _, port := range service.Spec.Ports {
		ports = append(ports, strconv.Itoa(int(port.Port)))
	}
	if at.Port != 0 && !slices.Contains(ports, strconv.Itoa(int(at.Port))) {
		return refuse("Service %s/%s has no port %d; it has %s", service.Namespace, name, at.Port, strings.Join(ports, ", ")), nil
	}
	wanted, found := service.Spec.Selector, []canary.Finding(nil)
	if at.Subset != "" {
		var subset map[string]string
		if subset, found = p.subset(at, rules); subset == nil {
			return found, nil
		}
		wanted = selector(wanted, subset)
	}
	pods, err := p.pods(ctx, arm)
	if err == nil && pods != nil && len(wanted) > 0 && !labels.SelectorFromSet(wanted).Matches(labels.Set(pods.Spec.Template.Labels)) {
		found = append(found, refuse("the pods of Deployment %s/%s have the labels %v; the Service and the subset select those with %v, so it is empty",
			pods.Namespace, pods.Name, labels.Set(pods.Spec.Template.Labels), labels.Set(wanted))...)
	}
	return found, err
}

// subset returns the labels of the arm's subset, or why clients do not find it. Clients take the
// DestinationRule of their own namespace before that of the Service.
func (p *Paths) subset(at *place, rules []*networking.DestinationRule) (subset map[string]string, found []canary.Finding) {
	has := "there is none"
	for _, rule := range rules {
		if p.fullHost(rule) != at.full {
			continue
		}
		named := func(s *api.Subset) bool { return s.GetName() == at.Subset }
		switch i := slices.IndexFunc(rule.Spec.Subsets, named); {
		case rule.Namespace != p.c.Target.Namespace && i < 0:
			found = append(found, canary.Finding{Problem: fmt.Sprintf("clients in namespace %s use DestinationRule %[1]s/%s, which has no such subset, so they cannot reach it", rule.Namespace, rule.Name)})
		case rule.Namespace != p.c.Target.Namespace:
		case i < 0:
			has = fmt.Sprintf("%s has %s", rule.Name, names(rule.Spec.Subsets))
		default:
			if exported := rule.Spec.GetExportTo(); len(exported) > 0 && !slices.Contains(exported, "*") {
				found = append(found, canary.Finding{Problem: fmt.Sprintf("DestinationRule %s/%s is exported to %s only: clients and gateways in other namespaces cannot reach the subset", rule.Namespace, rule.Name, strings.Join(exported, ", "))})
			}
			subset = selector(rule.Spec.Subsets[i].GetLabels())
		}
	}
	if i := slices.IndexFunc(p.c.Provided, func(s Subset) bool { return s.Name == at.Subset }); subset == nil && i >= 0 {
		subset = selector(p.c.Provided[i].Labels)
	}
	if subset == nil {
		found = append(refuse("no DestinationRule of %s in namespace %s has subset %q; %s", at.full, p.c.Target.Namespace, at.Subset, has), found...)
	}
	return subset, found
}

// fullHost is the host of a DestinationRule, fully qualified.
func (p *Paths) fullHost(rule *networking.DestinationRule) string {
	host := rule.Spec.GetHost()
	if strings.Contains(host, ".") {
		return host
	}
	t := p.c.Target
	t.Namespace = rule.Namespace
	return host + t.suffix()
}

func names(subsets []*api.Subset) string {
	var all []string
	for _, s := range subsets {
		all = append(all, s.GetName())
	}
	return strings.Join(all, ", ")
}

// selector is the union of labels.
func selector(all ...map[string]string) map[string]string {
	union := map[string]string{}
	for _, some := range all {
		maps.Copy(union, some)
	}
	return union
}

// pods returns the Deployment of an arm; nil if that is not known.
func (p *Paths) pods(ctx context.Context, arm int) (*appsv1.Deployment, error) {
	name := map[int]string{stable: p.c.Stable, canaryArm: p.c.Canary}[arm]
	if name == "" {
		return nil, nil
	}
	d, err := p.c.Deployments.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) { // the Workload says so
		return nil, nil
	}
	return d, err
}

// Rights returns the rights to read what is looked at, if DestinationRules is a client for the
// Target's Namespace. They do not depend on the plan.
func (p *Paths) Rights(canary.Plan) (all []authorizationv1.ResourceAttributes) {
	read := func(verb, group, resource, name string) {
		all = append(all, authorizationv1.ResourceAttributes{Verb: verb, Group: group, Resource: resource, Namespace: p.c.Target.Namespace, Name: name})
	}
	read("list", destinationRules.Group, destinationRules.Resource, "")
	var hosts []string
	for _, places := range append(slices.Clip(p.target.own), p.target.common) {
		for arm := range places {
			if name, ok := strings.CutSuffix(places[arm].full, p.target.suffix); ok {
				hosts = append(hosts, name)
			}
		}
	}
	slices.Sort(hosts)
	for _, name := range slices.Compact(hosts) {
		read("get", "", "services", name)
	}
	for _, name := range []string{p.c.Stable, p.c.Canary} {
		if name != "" {
			read("get", "apps", "deployments", name)
		}
	}
	return all
}
