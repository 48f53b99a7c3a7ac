package e2e_test

import (
	"fmt"
	"strings"
)

func destinationRule(subsets string) request {
	return request{"create", destinationRuleOf("", `{"host":"reviews","trafficPolicy":{"loadBalancer":{"simple":"ROUND_ROBIN"}},"subsets":`+subsets+`}`)}
}

func destinationRuleOf(metadata, spec string) string {
	return fmt.Sprintf(`{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":{"name":"$name"%s},"spec":%s}`, metadata, spec)
}

// destinationRuleStories are what is tried with a DestinationRule.
var destinationRuleStories = []story{
	{"create", []request{destinationRule(`[{"name":"v1","labels":{"version":"v1"}}]`), {"get", ""}}},
	{"subset added", []request{
		destinationRule(`[{"name":"v1","labels":{"version":"v1"}}]`),
		jsonPatch(nowGuard, `{"op":"add","path":"/spec/subsets/-","value":{"name":"v2","labels":{"version":"v2"}}}`),
		jsonPatch(oldGuard, `{"op":"remove","path":"/spec/subsets/1"}`),
		jsonPatch(nowGuard, `{"op":"remove","path":"/spec/subsets/1"}`),
	}},
	{"subset twice", []request{destinationRule(`[{"name":"v1"},{"name":"v1"}]`)}},
	{"subset without a name", []request{destinationRule(`[{"labels":{"version":"v1"}}]`)}},
	{"subset with an empty name", []request{destinationRule(`[{"name":""}]`)}},
	{"label of a number", []request{destinationRule(`[{"name":"v1","labels":{"version":1}}]`)}},
	{"no subsets", []request{destinationRule(`[]`), jsonPatch(`{"op":"add","path":"/spec/subsets/-","value":{"name":"v2"}}`)}},
	{"load balancer that is none", []request{{"create", strings.Replace(destinationRule(`[]`).body, "ROUND_ROBIN", "MAGIC", 1)}}},
	{"no host", []request{{"create", strings.Replace(destinationRule(`[]`).body, `"host":"reviews",`, "", 1)}}},
	{"status", []request{destinationRule(`[]`), {"status merge patch", `{"metadata":{"annotations":{"a":"b"}},"spec":{"host":"a"},"status":{"observedGeneration":"1"}}`}, {"get", ""}}},
}

// attempts are stories of one request each, named by what is tried.
func attempts(request func(tried string) []request, tried []string) []story {
	var stories []story
	for _, t := range tried {
		const enough = 200
		stories = append(stories, story{t[:min(len(t), enough)], request(t)})
	}
	return stories
}

func createSpec(kind string) func(string) []request {
	return func(spec string) []request {
		return []request{{"create", fmt.Sprintf(`{"apiVersion":"networking.istio.io/v1","kind":%q,"metadata":{"name":"$name"},"spec":%s}`, kind, spec)}}
	}
}

func createRule(rule string) []request {
	return []request{create("[" + strings.Replace(rule, "ROUTE", `"route":[{"destination":{"host":"a"}}]`, 1) + "]")}
}

func patchPaused(patch string) []request { return []request{paused, {"merge patch", patch}} }

// deployment is a paused one without replicas, of which the controllers make
// nothing.
func deployment(metadata string) string {
	return `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"$name"` + metadata + `},"spec":{` +
		`"paused":true,"replicas":0,"selector":{"matchLabels":{"app":"a"}},"template":{"metadata":{"labels":{"app":"a"}},"spec":{"containers":[{"name":"a","image":"a:1"}]}}}}`
}

const newImage = `{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"a:2"}`

var paused = request{"create", deployment("")}

// deploymentStories are what is tried with a Deployment.
var deploymentStories = []story{
	{"create", []request{paused, {"get", ""}}},
	{"create twice", []request{paused, paused}},
	{"patch with a good guard", []request{paused, jsonPatch(nowGuard, newImage), {"get", ""}}},
	{"patch with a stale guard", []request{paused, jsonPatch(newImage), jsonPatch(oldGuard, newImage)}},
	{"patch with a test that fails", []request{paused, jsonPatch(`{"op":"test","path":"/spec/replicas","value":7}`, newImage)}},
	{"patch to a path that is not there", []request{paused, jsonPatch(`{"op":"replace","path":"/spec/template/spec/containers/3/image","value":"a:2"}`)}},
	{"patch that changes nothing", []request{paused, jsonPatch(nowGuard, `{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"a:1"}`)}},
	{"patch of annotations alone", []request{paused, jsonPatch(nowGuard, `{"op":"add","path":"/metadata/annotations","value":{"a":"b"}}`)}},
	{"patch of an annotation to a number", []request{paused, jsonPatch(`{"op":"add","path":"/metadata/annotations","value":{"a":1}}`)}},
	{"patch of labels alone", []request{paused, jsonPatch(nowGuard, `{"op":"add","path":"/metadata/labels","value":{"a":"b"}}`)}},
	{"patch of the selector", []request{paused, jsonPatch(`{"op":"replace","path":"/spec/selector/matchLabels/app","value":"b"}`)}},
	{"patch of the image to nothing", []request{paused, jsonPatch(`{"op":"replace","path":"/spec/template/spec/containers/0/image","value":""}`)}},
	{"patch of the image to a number", []request{paused, jsonPatch(`{"op":"replace","path":"/spec/template/spec/containers/0/image","value":2}`)}},
	{"patch of the status", []request{paused, jsonPatch(`{"op":"add","path":"/status/replicas","value":7}`)}},
	{"unknown field", []request{paused, jsonPatch(`{"op":"add","path":"/spec/conjure","value":7}`)}},
	{"unknown field, strictly", []request{paused, {"strict json patch", `[{"op":"add","path":"/spec/conjure","value":7}]`}}},
	{"negative replicas", []request{paused, jsonPatch(`{"op":"replace","path":"/spec/replicas","value":-1}`)}},
	{"replicas of text", []request{paused, jsonPatch(`{"op":"replace","path":"/spec/replicas","value":"x"}`)}},
	{"no containers", []request{paused, jsonPatch(`{"op":"remove","path":"/spec/template/spec/containers/0"}`)}},
	{"selector that does not fit", []request{{"create", strings.Replace(deployment(""), `"matchLabels":{"app":"a"}`, `"matchLabels":{"app":"b"}`, 1)}}},
	{"update without a version", []request{paused, {"update", deployment(`,"labels":{"a":"b"}`)}}},
	{"update from a stale version", []request{paused, jsonPatch(newImage), {"update", deployment(`,"resourceVersion":"$old"`)}}},
	{"merge patch of annotations", []request{paused, {"merge patch", `{"metadata":{"annotations":{"a":"b"}}}`}, {"merge patch", `{"metadata":{"annotations":{"a":null}}}`}}},
	{"delete twice", []request{paused, {"delete", ""}, {"delete", ""}}},
	{"get of what is not there", []request{{"get", ""}}},
	{"create with a version", []request{{"create", deployment(`,"resourceVersion":"1"`)}}},
	{"create of another kind", []request{{"create", strings.Replace(deployment(""), `"Deployment"`, `"ReplicaSet"`, 1)}}},
	{"create in another version", []request{{"create", strings.Replace(deployment(""), "apps/v1", "apps/v1beta1", 1)}}},
	{"create with a status", []request{{"create", strings.TrimSuffix(deployment(""), "}") + `,"status":{"replicas":4}}`}, {"get", ""}}},
	{"create with a bad name", []request{{"create", strings.Replace(deployment(""), "$name", "No_Name", 1)}}},
	{"create without a spec", []request{{"create", `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"$name"}}`}}},
	{"unknown field of a container, strictly", []request{{"strict create", strings.Replace(deployment(""), `"image"`, `"imagine":1,"image"`, 1)}}},
	{"patch of the name", []request{paused, jsonPatch(`{"op":"replace","path":"/metadata/name","value":"other"}`)}},
	{"patch of the uid", []request{paused, jsonPatch(`{"op":"replace","path":"/metadata/uid","value":"other"}`)}},
	{"patch of the kind", []request{paused, jsonPatch(`{"op":"replace","path":"/kind","value":"ReplicaSet"}`)}},
	{"create without a kind", []request{{"create", strings.Replace(deployment(""), `"kind":"Deployment",`, "", 1)}}},
	{"create without an API version", []request{{"create", strings.Replace(deployment(""), `"apiVersion":"apps/v1",`, "", 1)}}},
	{"patch of the kind away", []request{paused, jsonPatch(`{"op":"remove","path":"/kind"}`)}},
	{"patch of the API version away", []request{paused, jsonPatch(`{"op":"remove","path":"/apiVersion"}`)}},
	{"patch of the name away", []request{paused, jsonPatch(`{"op":"remove","path":"/metadata/name"}`)}},
	{"patch of the namespace away", []request{paused, jsonPatch(`{"op":"remove","path":"/metadata/namespace"}`)}},
	{"patch of the API version", []request{paused, jsonPatch(`{"op":"replace","path":"/apiVersion","value":"apps/v7"}`)}},
	{"patch that removes the version", []request{paused, jsonPatch(`{"op":"remove","path":"/metadata/resourceVersion"}`, newImage)}},
	{"patch with an empty guard", []request{paused, jsonPatch(`{"op":"replace","path":"/metadata/resourceVersion","value":""}`, newImage)}},
	{"patch with a guard of nonsense", []request{paused, jsonPatch(`{"op":"replace","path":"/metadata/resourceVersion","value":"x"}`, newImage)}},
	{"patch with a guard of zero", []request{paused, jsonPatch(`{"op":"replace","path":"/metadata/resourceVersion","value":"0"}`, newImage)}},
	{"patch with a stale guard that is refused", []request{paused, jsonPatch(newImage), jsonPatch(oldGuard, `{"op":"replace","path":"/spec/replicas","value":-1}`)}},
	{"patch of an annotation and the image", []request{paused, jsonPatch(nowGuard, `{"op":"add","path":"/metadata/annotations","value":{"a":"b"}}`, newImage), {"get", ""}}},
	{"patch that changes nothing but the defaults", []request{paused, jsonPatch(`{"op":"remove","path":"/spec/strategy"}`, `{"op":"remove","path":"/spec/progressDeadlineSeconds"}`)}},
	{"patch of a default away", []request{paused, jsonPatch(`{"op":"remove","path":"/spec/template/spec/containers/0/imagePullPolicy"}`, `{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"a"}`)}},
	{"patch of an image that keeps the pull policy", []request{paused, jsonPatch(`{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"a"}`)}},
	{"annotation of the pods", []request{paused, jsonPatch(`{"op":"add","path":"/spec/template/metadata/annotations","value":{"a":"b"}}`)}},
	{"strategic patch of the image", []request{paused, {"strategic patch", `{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a:2"}]}}}}`}}},
	{"strategic patch with another container", []request{paused, {"strategic patch", `{"spec":{"template":{"spec":{"containers":[{"name":"b","image":"b:1"}]}}}}`}}},
	{"strategic patch that is refused", []request{paused, {"strategic patch", `{"spec":{"replicas":-1}}`}}},
	{"server-side apply", []request{paused, {"apply", `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"annotations":{"a":"b"}}}`}}},
	{"dry run", []request{paused, {"dry json patch", "[" + newImage + "]"}, {"get", ""}}},
	{"dry run that is refused", []request{paused, {"dry json patch", `[{"op":"replace","path":"/spec/replicas","value":-1}]`}}},
	{"status", []request{paused, {"status merge patch", `{"metadata":{"annotations":{"a":"b"},"labels":{"c":"d"}},"spec":{"replicas":7}}`}, {"get", ""}}},
	{"status with a stale version", []request{paused, jsonPatch(newImage), {"status json patch", "[" + oldGuard + "]"}}},
	{"delete with a finalizer", []request{
		{"create", deployment(`,"finalizers":["example.com/wait"]`)}, {"delete", ""}, {"get", ""},
		jsonPatch(newImage), jsonPatch(`{"op":"add","path":"/metadata/finalizers/-","value":"example.com/more"}`),
		jsonPatch(`{"op":"remove","path":"/metadata/finalizers"}`), {"get", ""},
	}},
	{"delete of a stale version", []request{paused, jsonPatch(newImage), {"delete", `{"preconditions":{"resourceVersion":"$old"}}`}}},
	{"delete of another uid", []request{paused, {"delete", `{"preconditions":{"uid":"other"}}`}}},
}
