package e2e_test

import "strings"

func destinationRule(subsets string) request {
	return request{"create", `{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":{"name":"$name"},"spec":{"host":"reviews","trafficPolicy":{"loadBalancer":{"simple":"ROUND_ROBIN"}},"subsets":` + subsets + `}}`}
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
}

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
}
