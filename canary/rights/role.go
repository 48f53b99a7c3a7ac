package rights

import (
	"bytes"
	"reflect"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Roles returns one Role of that name for each namespace, which together give
// exactly these rights. The same rights in any order give the same Roles. Whom
// they are bound to is not known here.
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

// YAML encodes Roles as documents that kubectl applies.
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

// list is one of the lists of a rule, which allows every combination of them.
type list func(*rbacv1.PolicyRule) *[]string

func verbs(p *rbacv1.PolicyRule) *[]string     { return &p.Verbs }
func names(p *rbacv1.PolicyRule) *[]string     { return &p.ResourceNames }
func resources(p *rbacv1.PolicyRule) *[]string { return &p.Resources }

// merged makes one rule of those that differ in one list only. An empty list,
// which stands for everything, is not one to add to.
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

// equalBut reports whether two rules are equal but for one list.
func equalBut(l list, a, b rbacv1.PolicyRule) bool {
	*l(&a), *l(&b) = nil, nil
	return reflect.DeepEqual(a, b)
}
