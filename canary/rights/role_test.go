package rights_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/rest"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/rights"
)

func ExampleRoles() {
	s := newShop(&rest.Config{}) // nothing is asked of a cluster
	needed := rights.Of(newPlan(canary.PromoteStable), s.router, s.subsets, s.deployments)
	text, err := rights.YAML(rights.Roles("shop-rollout", needed))
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%s", text)
	// Output:
	// apiVersion: rbac.authorization.k8s.io/v1
	// kind: Role
	// metadata:
	//   name: shop-rollout
	//   namespace: front
	// rules:
	// - apiGroups:
	//   - networking.istio.io
	//   resourceNames:
	//   - shop
	//   resources:
	//   - virtualservices
	//   verbs:
	//   - get
	//   - patch
	// ---
	// apiVersion: rbac.authorization.k8s.io/v1
	// kind: Role
	// metadata:
	//   name: shop-rollout
	//   namespace: shop
	// rules:
	// - apiGroups:
	//   - apps
	//   resourceNames:
	//   - shop-v1
	//   resources:
	//   - deployments
	//   verbs:
	//   - get
	//   - patch
	// - apiGroups:
	//   - apps
	//   resourceNames:
	//   - shop-v2
	//   resources:
	//   - deployments
	//   verbs:
	//   - get
	// - apiGroups:
	//   - networking.istio.io
	//   resourceNames:
	//   - shop
	//   resources:
	//   - destinationrules
	//   - virtualservices
	//   verbs:
	//   - get
	//   - patch
}

// given is what Roles allow, one by one.
func given(t require.TestingT, name string, needed []authorizationv1.ResourceAttributes) []authorizationv1.ResourceAttributes {
	var all []authorizationv1.ResourceAttributes
	for _, role := range rights.Roles(name, needed) {
		require.Equal(t, name, role.Name)
		for _, rule := range role.Rules {
			objects := rule.ResourceNames
			if len(objects) == 0 {
				objects = []string{""}
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, object := range objects {
						for _, verb := range rule.Verbs {
							all = append(all, authorizationv1.ResourceAttributes{
								Namespace: role.Namespace, Group: group, Resource: resource, Name: object, Verb: verb,
							})
						}
					}
				}
			}
		}
	}
	return all
}

func TestRolesGiveTheRightsAndNoOthersInWhateverOrderTheyCome(t *testing.T) {
	one := rapid.Custom(func(t *rapid.T) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{
			Namespace: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "namespace"),
			Group:     rapid.SampledFrom([]string{"", "apps"}).Draw(t, "group"),
			Resource:  rapid.SampledFrom([]string{"pods", "deployments", "deployments/scale"}).Draw(t, "resource"),
			Name:      rapid.SampledFrom([]string{"", "x", "y", "z"}).Draw(t, "name"),
			Verb:      rapid.SampledFrom([]string{"get", "patch", "list"}).Draw(t, "verb"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		needed := rapid.SliceOfNDistinct(one, 0, 30, rapid.ID).Draw(t, "rights")
		require.ElementsMatch(t, needed, given(t, "driver", needed))
		again := rapid.Permutation(append(needed, needed...)).Draw(t, "again")
		require.Equal(t, rights.Roles("driver", needed), rights.Roles("driver", again))
	})
}

func TestRulesThatAllowTheSameAreOne(t *testing.T) {
	var needed []authorizationv1.ResourceAttributes
	for _, name := range []string{"b", "a"} {
		for _, verb := range []string{"patch", "get"} {
			for _, resource := range []string{"virtualservices", "destinationrules"} {
				needed = append(needed, authorizationv1.ResourceAttributes{Namespace: "ns", Resource: resource, Name: name, Verb: verb})
			}
		}
	}
	roles := rights.Roles("driver", needed)
	require.Len(t, roles, 1)
	require.Len(t, roles[0].Rules, 1)
	rule := roles[0].Rules[0]
	require.Equal(t, [][]string{{"destinationrules", "virtualservices"}, {"a", "b"}, {"get", "patch"}}, [][]string{rule.Resources, rule.ResourceNames, rule.Verbs})
}
