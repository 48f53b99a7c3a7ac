package e2e_test

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	virtualServices  = schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "virtualservices"}
	destinationRules = schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "destinationrules"}
	deployments      = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
)

// virtualService is a document with the http rules given, and further metadata.
func virtualService(http, metadata string) string {
	return fmt.Sprintf(`{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"$name"%s},"spec":{"hosts":["reviews"],"http":%s}}`, metadata, http)
}

// split is the http rules of a VirtualService with two weights.
func split(v1, v2 string) string {
	return fmt.Sprintf(`[{"name":"all","route":[{"destination":{"host":"reviews","subset":"v1"},"weight":%s},{"destination":{"host":"reviews","subset":"v2"},"weight":%s}]}]`, v1, v2)
}

const (
	nowGuard   = `{"op":"replace","path":"/metadata/resourceVersion","value":"$now"}`
	oldGuard   = `{"op":"replace","path":"/metadata/resourceVersion","value":"$old"}`
	newWeight  = `{"op":"replace","path":"/spec/http/0/route/0/weight","value":70},{"op":"replace","path":"/spec/http/0/route/1/weight","value":30}`
	sameWeight = `{"op":"replace","path":"/spec/http/0/route/0/weight","value":100.0}`
)

func create(http string) request { return request{"create", virtualService(http, "")} }

func jsonPatch(ops ...string) request {
	return request{"json patch", "[" + strings.Join(ops, ",") + "]"}
}

// story is a row of requests about one object.
type story struct {
	name     string
	requests []request
}

var (
	good  = create(split("100", "0"))
	moved = jsonPatch(newWeight)
)

// virtualServiceStories are what is tried with a VirtualService.
var virtualServiceStories = []story{
	{"create", []request{good, {"get", ""}}},
	{"create twice", []request{good, good}},
	{"create twice, then what the schema refuses", []request{good, create(split(`"x"`, "0"))}},
	{"create twice, then what Istio refuses", []request{good, create(split("-1", "0"))}},
	{"create with a version", []request{{"create", virtualService(split("1", "0"), `,"resourceVersion":"1"`)}}},
	{"create with generation and uid", []request{{"create", virtualService(split("1", "0"), `,"generation":7,"uid":"x"`)}}},
	{"create with a status", []request{{"create", strings.TrimSuffix(virtualService(split("1", "0"), ""), "}") + `,"status":{"observedGeneration":4}}`}}},
	{"create of another kind", []request{{"create", strings.Replace(virtualService(split("1", "0"), ""), "VirtualService", "Gateway", 1)}}},
	{"create in another version", []request{{"create", strings.Replace(virtualService(split("1", "0"), ""), "/v1", "/v1beta1", 1)}}},
	{"create with a bad name", []request{{"create", strings.Replace(virtualService(split("1", "0"), ""), "$name", "No_Name", 1)}}},
	{"create without a spec", []request{{"create", `{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"$name"}}`}}},
	{"update", []request{good, {"update", virtualService(split("80", "20"), `,"resourceVersion":"$now"`)}}},
	{"update without a version", []request{good, {"update", virtualService(split("80", "20"), "")}}},
	{"update from a stale version", []request{good, moved, {"update", virtualService(split("80", "20"), `,"resourceVersion":"$old"`)}}},
	{"update that changes nothing", []request{good, {"update", virtualService(split("100", "0"), `,"resourceVersion":"$now"`)}}},
	{"update of annotations alone", []request{good, {"update", virtualService(split("100", "0"), `,"resourceVersion":"$now","annotations":{"a":"b"}`)}}},
	{"update of what is not there", []request{{"update", virtualService(split("80", "20"), `,"resourceVersion":"5"`)}}},
	{"update with a version of nonsense", []request{good, {"update", virtualService(split("80", "20"), `,"resourceVersion":"x"`)}}},
	{"patch without a guard", []request{good, moved, {"get", ""}}},
	{"patch with a good guard", []request{good, jsonPatch(nowGuard, newWeight), {"get", ""}}},
	{"patch with a stale guard", []request{good, moved, jsonPatch(oldGuard, newWeight), {"get", ""}}},
	{"patch with a guard of nonsense", []request{good, jsonPatch(`{"op":"replace","path":"/metadata/resourceVersion","value":"x"}`, newWeight)}},
	{"patch with a guard of a number", []request{good, jsonPatch(`{"op":"replace","path":"/metadata/resourceVersion","value":5}`, newWeight)}},
	{"patch with an empty guard", []request{good, jsonPatch(`{"op":"replace","path":"/metadata/resourceVersion","value":""}`, newWeight)}},
	{"patch that removes the version", []request{good, jsonPatch(`{"op":"remove","path":"/metadata/resourceVersion"}`, newWeight)}},
	{"patch with a stale guard that changes nothing else", []request{good, moved, jsonPatch(oldGuard)}},
	{"patch with a stale guard and a test that fails", []request{good, moved, jsonPatch(oldGuard, `{"op":"test","path":"/spec/http/0/name","value":"none"}`)}},
	{"patch with a stale guard to a path that is not there", []request{good, moved, jsonPatch(oldGuard, `{"op":"remove","path":"/spec/tcp"}`)}},
	{"patch with a stale guard that the schema refuses", []request{good, moved, jsonPatch(oldGuard, `{"op":"replace","path":"/spec/http/0/route/0/weight","value":"x"}`)}},
	{"patch with a stale guard that Istio refuses", []request{good, moved, jsonPatch(oldGuard, `{"op":"replace","path":"/spec/http/0/route/0/weight","value":-1}`)}},
	{"update from a stale version that the schema refuses", []request{good, moved, {"update", virtualService(split(`"x"`, "0"), `,"resourceVersion":"$old"`)}}},
	{"update from a stale version that Istio refuses", []request{good, moved, {"update", virtualService(split("-1", "0"), `,"resourceVersion":"$old"`)}}},
	{"patch with a test that holds", []request{good, jsonPatch(`{"op":"test","path":"/spec/http/0/name","value":"all"}`, newWeight)}},
	{"patch with a test that fails", []request{good, jsonPatch(`{"op":"test","path":"/spec/http/0/name","value":"none"}`, newWeight), {"get", ""}}},
	{"patch with a test of a stale version", []request{good, moved, jsonPatch(`{"op":"test","path":"/metadata/resourceVersion","value":"$old"}`)}},
	{"patch to a path that is not there", []request{good, jsonPatch(`{"op":"replace","path":"/spec/http/7/route/0/weight","value":1}`), {"get", ""}}},
	{"patch that removes nothing", []request{good, jsonPatch(`{"op":"remove","path":"/spec/tcp"}`)}},
	{"patch that adds to no map", []request{good, jsonPatch(`{"op":"add","path":"/metadata/annotations/a","value":"b"}`)}},
	{"patch that adds the map first", []request{good, jsonPatch(`{"op":"add","path":"/metadata/annotations","value":{}}`, `{"op":"add","path":"/metadata/annotations/a","value":"b"}`)}},
	{"patch that adds to a map which became empty", []request{
		{"create", virtualService(split("1", "0"), `,"annotations":{"a":"b"}`)},
		jsonPatch(`{"op":"remove","path":"/metadata/annotations/a"}`),
		jsonPatch(`{"op":"add","path":"/metadata/annotations/c","value":"d"}`),
	}},
	{"patch that adds an empty map", []request{good, jsonPatch(`{"op":"add","path":"/metadata/annotations","value":{}}`)}},
	{"patch of an unknown field of the metadata", []request{good, {"merge patch", `{"metadata":{"conjure":1}}`}}},
	{"patch that changes nothing", []request{good, jsonPatch(nowGuard, `{"op":"replace","path":"/spec/http/0/route/0/weight","value":100}`), {"get", ""}}},
	{"patch of annotations alone", []request{good, jsonPatch(`{"op":"add","path":"/metadata/annotations","value":{"a":"b"}}`)}},
	{"patch of an annotation to a number", []request{good, jsonPatch(`{"op":"add","path":"/metadata/annotations","value":{"a":1}}`)}},
	{"patch of the name", []request{good, jsonPatch(`{"op":"replace","path":"/metadata/name","value":"other"}`)}},
	{"patch of the uid", []request{good, jsonPatch(`{"op":"replace","path":"/metadata/uid","value":"other"}`)}},
	{"patch of the generation", []request{good, jsonPatch(`{"op":"replace","path":"/metadata/generation","value":7}`)}},
	{"patch of the kind", []request{good, jsonPatch(`{"op":"replace","path":"/kind","value":"Gateway"}`)}},
	{"patch that is no patch", []request{good, {"json patch", `{"a":1}`}}},
	{"patch that is no JSON", []request{good, {"json patch", `[`}}},
	{"patch with an op that is none", []request{good, jsonPatch(`{"op":"conjure","path":"/spec/hosts"}`)}},
	{"patch that is empty", []request{good, jsonPatch()}},
	{"patch that copies and moves", []request{good, jsonPatch(`{"op":"copy","from":"/spec/http/0","path":"/spec/http/0"}`, `{"op":"move","from":"/spec/http/1/name","path":"/spec/http/0/name"}`)}},
	{"patch of what is not there", []request{moved}},
	{"patch of all of the spec away", []request{good, jsonPatch(`{"op":"remove","path":"/spec"}`)}},
	{"merge patch", []request{good, {"merge patch", `{"spec":{"http":null}}`}, {"merge patch", `{"metadata":{"annotations":{"a":"b"}}}`}}},
	{"merge patch with a stale version", []request{good, moved, {"merge patch", `{"metadata":{"resourceVersion":"$old"},"spec":{"hosts":["a"]}}`}}},
	{"merge patch that changes nothing", []request{good, {"merge patch", `{}`}}},
	{"negative weight", []request{create(split("-1", "101")), {"get", ""}}},
	{"negative weight by patch", []request{good, jsonPatch(`{"op":"replace","path":"/spec/http/0/route/0/weight","value":-1}`), {"get", ""}}},
	{"weights that are all zero", []request{create(split("0", "0"))}},
	{"weights that are no 100", []request{create(split("50", "20"))}},
	{"weight above 100", []request{create(split("300", "0"))}},
	{"weight beyond an int32", []request{create(split("3000000000", "0"))}},
	{"weight of text", []request{create(split(`"x"`, "0"))}},
	{"weight of a fraction", []request{create(split("1.5", "0"))}},
	{"weight with a decimal point", []request{create(split("1.0", "0"))}},
	{"same weight with a decimal point", []request{good, {"dry json patch", "[" + sameWeight + "]"}, jsonPatch(sameWeight),
		jsonPatch(sameWeight, `{"op":"add","path":"/metadata/annotations","value":{"c":"d"}}`), {"merge patch", `{"spec":{"http":null}}`}, {"get", ""}}},
	{"weight of null", []request{create(split("null", "100")), {"get", ""}}},
	{"mirror above 100 per cent", []request{create(`[{"route":[{"destination":{"host":"a"}}],"mirror":{"host":"b"},"mirrorPercentage":{"value":150}}]`)}},
	{"mirror below 0 per cent", []request{create(`[{"route":[{"destination":{"host":"a"}}],"mirror":{"host":"b"},"mirrorPercentage":{"value":-1}}]`)}},
	{"mirror and mirrors", []request{create(`[{"route":[{"destination":{"host":"a"}}],"mirror":{"host":"b"},"mirrors":[{"destination":{"host":"c"}}]}]`)}},
	{"mirror of a part of a per cent", []request{create(`[{"route":[{"destination":{"host":"a"}}],"mirror":{"host":"b"},"mirrorPercentage":{"value":0.0001}}]`)}},
	{"route and redirect", []request{create(`[{"route":[{"destination":{"host":"a"}}],"redirect":{"uri":"/"}}]`)}},
	{"rule that does nothing", []request{create(`[{"name":"idle"}]`)}},
	{"rules of no list", []request{create(`{}`)}},
	{"rule of null", []request{create(`[null]`)}},
	{"no rules", []request{create(`[]`)}},
	{"rules of the same name", []request{create(`[{"name":"a","match":[{"uri":{"prefix":"/a"}}],"route":[{"destination":{"host":"a"}}]},{"name":"a","route":[{"destination":{"host":"a"}}]}]`)}},
	{"match in two ways", []request{create(`[{"match":[{"uri":{"prefix":"/","exact":"/"}}],"route":[{"destination":{"host":"a"}}]}]`)}},
	{"match of a regex that is none", []request{create(`[{"match":[{"uri":{"regex":"["}}],"route":[{"destination":{"host":"a"}}]}]`)}},
	{"destination without a host", []request{create(`[{"route":[{"destination":{"subset":"v1"}}]}]`)}},
	{"destination of nothing", []request{create(`[{"route":[{}]}]`)}},
	{"port that does not exist", []request{create(`[{"route":[{"destination":{"host":"a","port":{"number":70000}}}]}]`)}},
	{"hosts of text", []request{{"create", strings.Replace(virtualService(split("1", "0"), ""), `["reviews"]`, `"reviews"`, 1)}}},
	{"no hosts", []request{{"create", strings.Replace(virtualService(split("1", "0"), ""), `["reviews"]`, `[]`, 1)}}},
	{"hosts twice", []request{{"create", strings.Replace(virtualService(split("1", "0"), ""), `["reviews"]`, `["reviews","reviews"]`, 1)}}},
	{"timeout", []request{create(`[{"route":[{"destination":{"host":"a"}}],"timeout":"5s"}]`)}},
	{"timeout of nonsense", []request{create(`[{"route":[{"destination":{"host":"a"}}],"timeout":"soon"}]`)}},
	{"timeout of a number", []request{create(`[{"route":[{"destination":{"host":"a"}}],"timeout":5}]`)}},
	{"timeout of nothing", []request{create(`[{"route":[{"destination":{"host":"a"}}],"timeout":"0s"}]`)}},
	{"timeout below zero", []request{create(`[{"route":[{"destination":{"host":"a"}}],"timeout":"-5s"}]`)}},
	{"unknown field", []request{create(`[{"route":[{"destination":{"host":"a"}}],"conjure":true}]`), {"get", ""}}},
	{"unknown field, strictly", []request{{"strict create", virtualService(`[{"route":[{"destination":{"host":"a"}}],"conjure":true}]`, "")}}},
	{"unknown field by patch", []request{good, jsonPatch(`{"op":"add","path":"/spec/http/0/conjure","value":true}`), {"get", ""}}},
	{"unknown field by patch, strictly", []request{good, {"strict json patch", `[{"op":"add","path":"/spec/http/0/conjure","value":true}]`}}},
	{"unknown field beside the spec", []request{{"create", strings.TrimSuffix(virtualService(split("1", "0"), ""), "}") + `,"conjure":1}`}, {"get", ""}}},
	{"unknown field of the metadata", []request{{"create", virtualService(split("1", "0"), `,"conjure":1`)}}},
	{"label that is none", []request{{"create", virtualService(split("1", "0"), `,"labels":{"a":"not a label"}`)}}},
	{"annotation that is none", []request{{"create", virtualService(split("1", "0"), `,"annotations":{"not a name":"b"}`)}}},
	{"annotations of 300 KiB", []request{{"create", virtualService(split("1", "0"), `,"annotations":{"a":"`+strings.Repeat("x", 300<<10)+`"}`)}}},
	{"delete", []request{good, {"delete", ""}, {"get", ""}}},
	{"delete twice", []request{good, {"delete", ""}, {"delete", ""}}},
	{"delete of a version", []request{good, {"delete", `{"preconditions":{"resourceVersion":"$now"}}`}}},
	{"delete of a stale version", []request{good, moved, {"delete", `{"preconditions":{"resourceVersion":"$old"}}`}}},
	{"delete of another uid", []request{good, {"delete", `{"preconditions":{"uid":"other"}}`}}},
	{"delete and create anew", []request{good, moved, {"delete", ""}, good, jsonPatch(oldGuard, newWeight)}},
	{"delete with a finalizer", []request{{"create", virtualService(split("1", "0"), `,"finalizers":["example.com/wait"]`)}, {"delete", ""}, {"get", ""}, jsonPatch(`{"op":"remove","path":"/metadata/finalizers"}`), {"get", ""}}},
	{"get of what is not there", []request{{"get", ""}}},
	{"create without a kind", []request{{"create", strings.Replace(virtualService(split("1", "0"), ""), `"kind":"VirtualService",`, "", 1)}}},
	{"create without an API version", []request{{"create", strings.Replace(virtualService(split("1", "0"), ""), `"apiVersion":"networking.istio.io/v1",`, "", 1)}}},
	{"patch of the kind away", []request{good, jsonPatch(`{"op":"remove","path":"/kind"}`)}},
	{"patch of the API version away", []request{good, jsonPatch(`{"op":"remove","path":"/apiVersion"}`)}},
	{"patch of the name away", []request{good, jsonPatch(`{"op":"remove","path":"/metadata/name"}`)}},
	{"patch of the namespace away", []request{good, jsonPatch(`{"op":"remove","path":"/metadata/namespace"}`)}},
	{"create with a version of zero", []request{{"create", virtualService(split("1", "0"), `,"resourceVersion":"0"`)}}},
	{"create with a version of nonsense", []request{{"create", virtualService(split("1", "0"), `,"resourceVersion":"x"`)}}},
	{"create with a version, twice", []request{good, {"create", virtualService(split("1", "0"), `,"resourceVersion":"1"`)}}},
	{"update with a version of zero", []request{good, {"update", virtualService(split("80", "20"), `,"resourceVersion":"0"`)}}},
	{"update with another uid", []request{good, {"update", virtualService(split("80", "20"), `,"resourceVersion":"$now","uid":"other"`)}}},
	{"update with another uid and a stale version", []request{good, moved, {"update", virtualService(split("80", "20"), `,"resourceVersion":"$old","uid":"other"`)}}},
	{"update of another kind", []request{good, {"update", strings.Replace(virtualService(split("80", "20"), `,"resourceVersion":"$now"`), "VirtualService", "Gateway", 1)}}},
	{"update from a stale version with an unknown field, strictly", []request{good, moved, {"strict update", strings.Replace(virtualService(split("80", "20"), `,"resourceVersion":"$old"`), `"hosts"`, `"conjure":1,"hosts"`, 1)}}},
	{"update that drops labels and annotations", []request{
		{"create", virtualService(split("1", "0"), `,"annotations":{"a":"b"},"labels":{"c":"d"}`)},
		{"update", virtualService(split("1", "0"), `,"resourceVersion":"$now"`)},
	}},
	{"patch with a guard of zero", []request{good, jsonPatch(`{"op":"replace","path":"/metadata/resourceVersion","value":"0"}`, newWeight)}},
	{"patch of the API version", []request{good, jsonPatch(`{"op":"replace","path":"/apiVersion","value":"networking.istio.io/v1beta1"}`)}},
	{"patch of the metadata to text", []request{good, {"merge patch", `{"metadata":"x"}`}}},
	{"patch of the metadata away", []request{good, jsonPatch(`{"op":"remove","path":"/metadata"}`)}},
	{"patch of the labels away", []request{good, {"merge patch", `{"metadata":{"labels":{"a":null},"annotations":null}}`}}},
	{"patch of a label that is none", []request{good, {"merge patch", `{"metadata":{"labels":{"a":"not a label"}}}`}}},
	{"patch of a finalizer that is none", []request{good, {"merge patch", `{"metadata":{"finalizers":["a b"]}}`}}},
	{"patch of a finalizer without a domain", []request{good, {"merge patch", `{"metadata":{"finalizers":["a"]}}`}}},
	{"patch of an owner that is none", []request{good, {"merge patch", `{"metadata":{"ownerReferences":[{"name":"a"}]}}`}}},
	{"patch of the times", []request{good, {"merge patch", `{"metadata":{"creationTimestamp":"2020-01-01T00:00:00Z","generation":9}}`}}},
	{"patch of the time of deletion", []request{good, {"merge patch", `{"metadata":{"deletionTimestamp":"2020-01-01T00:00:00Z"}}`}}},
	{"patch of a stale guard and the uid", []request{good, moved, jsonPatch(oldGuard, `{"op":"replace","path":"/metadata/uid","value":"other"}`)}},
	{"patch of a stale guard and a label that is none", []request{good, moved, jsonPatch(oldGuard, `{"op":"add","path":"/metadata/labels","value":{"a":"not a label"}}`)}},
	{"patch of the status", []request{good, {"merge patch", `{"status":{"observedGeneration":"1"}}`}}},
	{"status", []request{good, {"status merge patch", `{"metadata":{"annotations":{"a":"b"}},"spec":{"hosts":["other"]},"status":{"observedGeneration":"1"}}`}, {"get", ""}}},
	{"status with a good guard", []request{good, {"status json patch", "[" + nowGuard + `,{"op":"add","path":"/status","value":{"observedGeneration":"1"}}]`}, {"get", ""}}},
	{"status with a stale guard", []request{good, moved, {"status json patch", "[" + oldGuard + `,{"op":"add","path":"/status","value":{"observedGeneration":"1"}}]`}}},
	{"status of what is not there", []request{{"status merge patch", `{"status":{}}`}}},
	{"strategic patch", []request{good, {"strategic patch", `{"spec":{"hosts":["a"]}}`}}},
	{"dry run", []request{good, {"dry json patch", "[" + newWeight + "]"}, {"get", ""}}},
	{"dry run with a stale guard", []request{good, moved, {"dry json patch", "[" + oldGuard + "," + newWeight + "]"}}},
	{"dry run of a negative weight", []request{good, {"dry json patch", `[{"op":"replace","path":"/spec/http/0/route/0/weight","value":-1}]`}}},
	{"write while being deleted", []request{
		{"create", virtualService(split("1", "0"), `,"finalizers":["example.com/wait"]`)}, {"delete", ""}, {"delete", ""},
		jsonPatch(newWeight), jsonPatch(`{"op":"add","path":"/metadata/finalizers/-","value":"example.com/more"}`),
		good, jsonPatch(nowGuard, `{"op":"remove","path":"/metadata/finalizers"}`, `{"op":"replace","path":"/spec/hosts","value":["other"]}`), {"get", ""}, good,
	}},
}
