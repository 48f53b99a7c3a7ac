package rights

import (
	"bytes"
	"reflect"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Roles returns one Role of the given name for each namespace. Together they grant
// exactly these rights. The result does not depend on the order of the rights. Bind the
// Roles to the driver's user yourself.
func Roles(name string, rights []authorizationv1.ResourceAttributes) []rbacv1.Role {
	var roles []rbacv1.Role
	for _, r := range sorted(rights) {
		if len(roles) == 0 || roles[len(roles)-1].Namespace != r.Namespace {
			roles = append(roles, rbacv1.Role{
				TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
				ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: name},
			})
		}
		last := &roles[len(roles)-1]
		last.Rules = append(last.Rules, rule(r))
	}
	for i := range roles {
		for _, list := range []list{verbs, names, resources} {
			roles[i].Rules = merged(roles[i].Rules, list)
		}
	}
	return roles
}

// YAML encodes Roles as YAML documents for kubectl apply.
func YAML(roles []rbacv1.Role) ([]byte, error) {
	var documents [][]byte
	for i := range roles {
		b, err := yaml.Marshal(&roles[i])
		if err != nil {
			return nil, err
		}
		documents = append(documents, b)
	}
	return bytes.Join(documents, []byte("---\n")), nil
}

func rule(r authorizationv1.ResourceAttributes) rbacv1.PolicyRule {
	p := rbacv1.PolicyRule{APIGroups: []string{r.Group}, Resources: []string{resource(r)}, Verbs: []string{r.Verb}}
	if r.Name != "" {
		p.ResourceNames = []string{r.Name}
	}
	return p
}

// list selects one of the lists of a rule. A rule allows every combination of its lists.
type list func(*rbacv1.PolicyRule) *[]string

func verbs(p *rbacv1.PolicyRule) *[]string     { return &p.Verbs }
func names(p *rbacv1.PolicyRule) *[]string     { return &p.ResourceNames }
func resources(p *rbacv1.PolicyRule) *[]string { return &p.Resources }

// merged joins rules that differ in one list only. An empty list stands for everything,
// so nothing is added to it.
func merged(rules []rbacv1.PolicyRule, l list) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
next:
	for _, r := range rules {
		for i := range out {
			if have := l(&out[i]); len(*have) > 0 && len(*l(&r)) > 0 && equalBut(l, out[i], r) {
				*have = append(*have, *l(&r)...)
				continue next
			}
		}
		out = append(out, r)
	}
	return out
}

// equalBut reports whether two rules are equal except for one list.
func equalBut(l list, a, b rbacv1.PolicyRule) bool {
	*l(&a), *l(&b) = nil, nil
	return reflect.DeepEqual(a, b)
}
