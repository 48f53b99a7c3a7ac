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

// destinationRuleSpecs are what is tried as the spec of a DestinationRule.
var destinationRuleSpecs = []string{
	`{}`,
	`{"host":""}`,
	`{"host":"*"}`,
	`{"host":"*.example.com"}`,
	`{"host":"not a host"}`,
	`{"host":"reviews.bookinfo.svc.cluster.local."}`,
	`{"host":"10.0.0.1"}`,
	`{"host":"a","subsets":{}}`,
	`{"host":"a","subsets":[{"name":"V1"}]}`,
	`{"host":"a","subsets":[{"name":"v.1"}]}`,
	`{"host":"a","subsets":[{"name":"v1","labels":{"not a label":"x"}}]}`,
	`{"host":"a","subsets":[{"name":"v1","labels":{"version":"not a value"}}]}`,
	`{"host":"a","subsets":[{"name":"v1","labels":{}}]}`,
	`{"host":"a","subsets":[{"name":"v1","trafficPolicy":{}}]}`,
	`{"host":"a","subsets":[{"name":"v1","trafficPolicy":{"loadBalancer":{"simple":"LEAST_REQUEST"}}}]}`,
	`{"host":"a","subsets":[{"name":"v1"},{"name":"v2"},{"name":"v1"}]}`,
	`{"host":"a","trafficPolicy":{}}`,
	`{"host":"a","trafficPolicy":{"conjure":1}}`,
	`{"host":"a","trafficPolicy":{"connectionPool":{}}}`,
	`{"host":"a","trafficPolicy":{"connectionPool":{"tcp":{"maxConnections":100,"connectTimeout":"30ms"},"http":{"http1MaxPendingRequests":1}}}}`,
	`{"host":"a","trafficPolicy":{"outlierDetection":{"maxEjectionPercent":101}}}`,
	`{"host":"a","trafficPolicy":{"outlierDetection":{"consecutive5xxErrors":5,"interval":"10s","baseEjectionTime":"1500us"}}}`,
	`{"host":"a","trafficPolicy":{"outlierDetection":{"consecutive5xxErrors":5,"interval":"10s","baseEjectionTime":"30s","maxEjectionPercent":50}}}`,
	`{"host":"a","trafficPolicy":{"outlierDetection":{"consecutive5xxErrors":-1}}}`,
	`{"host":"a","trafficPolicy":{"outlierDetection":{"consecutive5xxErrors":null}}}`,
	`{"host":"a","trafficPolicy":{"loadBalancer":{"consistentHash":{"httpCookie":{"name":"user","ttl":"0s"}}}}}`,
	`{"host":"a","trafficPolicy":{"loadBalancer":{"consistentHash":{"httpCookie":{"name":"user","ttl":"x"}}}}}`,
	`{"host":"a","trafficPolicy":{"loadBalancer":{"consistentHash":{"httpCookie":{"name":"user","ttl":"0s"},"useSourceIp":true}}}}`,
	`{"host":"a","trafficPolicy":{"connectionPool":{"tcp":{"idleTimeout":"0s"}}}}`,
	`{"host":"a","trafficPolicy":{"loadBalancer":{"simple":null}}}`,
	`{"host":"a","trafficPolicy":{"loadBalancer":{"simple":"RANDOM","consistentHash":{"useSourceIp":true}}}}`,
	`{"host":"a","trafficPolicy":{"tls":{"mode":"ISTIO_MUTUAL"}}}`,
	`{"host":"a","trafficPolicy":{"tls":{"mode":"PERHAPS"}}}`,
	`{"host":"a","trafficPolicy":{"portLevelSettings":[{"port":{"number":9080},"tls":{"mode":"DISABLE"}}]}}`,
	`{"host":"a","exportTo":["."]}`,
	`{"host":"a","exportTo":["~"]}`,
	`{"host":"a","exportTo":["*","a"]}`,
	`{"host":"a","exportTo":["a","a"]}`,
	`{"host":"a","exportTo":["A b"]}`,
	`{"host":"a","workloadSelector":{"matchLabels":{"app":"a"}}}`,
}

// virtualServiceSpecs are what is tried as the spec of a VirtualService.
var virtualServiceSpecs = []string{
	`null`,
	`[]`,
	`"x"`,
	`{"hosts":["*"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["*"],"gateways":["edge"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["*"],"gateways":["edge","mesh"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a.example.com","*.example.com"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["*.com","*.example.com"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["*.example.com","*.example.org"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["10.0.0.1"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a b"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a..b"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a.1"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":[""],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a"],"gateways":["istio-system/edge"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a"],"gateways":["edge.istio-system.svc.cluster.local"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a"],"gateways":["a/b/c"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a"],"gateways":["A B"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a"],"gateways":[""],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"gateways":["edge"],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"http":[{"delegate":{"name":"a"},"route":[{"destination":{"host":"a"}}]}]}`,
	`{"tcp":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a"],"tcp":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a"],"tcp":[{"match":[{"port":9080}],"route":[{"destination":{"host":"a"},"weight":-1}]}]}`,
	`{"hosts":["a"],"tcp":[{"match":[{"port":9080}]}]}`,
	`{"hosts":["a"],"tcp":[{"route":[{"destination":{"host":"a"}},{"destination":{"host":"b"}}]}]}`,
	`{"hosts":["a"],"tls":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a"],"tls":[{"match":[{"port":443,"sniHosts":["a"]}],"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a"],"exportTo":["."],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a"],"exportTo":["*","."],"http":[{"route":[{"destination":{"host":"a"}}]}]}`,
	`{"hosts":["a"],"http":[{"delegate":{"name":"a","namespace":"b"}}]}`,
}

// httpRules are what is tried as the only http rule of a VirtualService.
var httpRules = []string{
	`{"delegate":{"name":"a"},"redirect":{"uri":"/"}}`,
	`{"delegate":{"name":"a"},"directResponse":{"status":200}}`,
	`{"redirect":{"uri":"/"},"fault":{"abort":{"httpStatus":500}}}`,
	`{"redirect":{"uri":"/"},"rewrite":{"uri":"/"}}`,
	`{"redirect":{"uri":"/"},"directResponse":{"status":200}}`,
	`{"redirect":{}}`,
	`{"redirect":{"authority":"a"}}`,
	`{"redirect":{"port":8080}}`,
	`{"redirect":{"port":80,"derivePort":"FROM_REQUEST_PORT"}}`,
	`{"redirect":{"uri":"/","redirectCode":200}}`,
	`{"redirect":{"uri":"/","redirectCode":308}}`,
	`{"redirect":{"uri":"/","scheme":"gopher"}}`,
	`{"redirect":{"uri":"/","redirectCode":-1}}`,
	`{"directResponse":{"status":200}}`,
	`{"directResponse":{"status":99}}`,
	`{"directResponse":{"status":503,"body":{"string":"down"}}}`,
	`{"directResponse":{"status":503,"body":{"string":"down","bytes":"ZG93bg=="}}}`,
	`{"directResponse":{}}`,
	`{"directResponse":{"status":200},ROUTE}`,
	`{"rewrite":{},ROUTE}`,
	`{"rewrite":{"uri":"/a"},ROUTE}`,
	`{"rewrite":{"uri":"/a","uriRegexRewrite":{"match":"a","rewrite":"b"}},ROUTE}`,
	`{"rewrite":{"uriRegexRewrite":{"match":"[","rewrite":"b"}},ROUTE}`,
	`{"rewrite":{"uriRegexRewrite":{"match":"a"}},ROUTE}`,
	`{"retries":{"attempts":3,"perTryTimeout":"2s","retryOn":"5xx,503"},ROUTE}`,
	`{"retries":{"attempts":3,"retryOn":"luck"},ROUTE}`,
	`{"retries":{"attempts":-1},ROUTE}`,
	`{"retries":{"perTryTimeout":"2s"},ROUTE}`,
	`{"retries":{"attempts":0},ROUTE}`,
	`{"retries":{"attempts":1,"perTryTimeout":"1500us"},ROUTE}`,
	`{"retries":{},ROUTE}`,
	`{"timeout":"1.5s",ROUTE}`,
	`{"timeout":"1500us",ROUTE}`,
	`{"timeout":"1d",ROUTE}`,
	`{"timeout":null,ROUTE}`,
	`{"fault":{},ROUTE}`,
	`{"fault":{"abort":{"httpStatus":500,"percentage":{"value":50}}},ROUTE}`,
	`{"fault":{"abort":{"httpStatus":5000}},ROUTE}`,
	`{"fault":{"abort":{"percentage":{"value":50}}},ROUTE}`,
	`{"fault":{"abort":{"httpStatus":500,"percentage":{"value":101}}},ROUTE}`,
	`{"fault":{"delay":{"fixedDelay":"5s","percentage":{"value":0.00001}}},ROUTE}`,
	`{"fault":{"delay":{"fixedDelay":"5s"}},ROUTE}`,
	`{"match":[],ROUTE}`,
	`{"match":[{}],ROUTE}`,
	`{"match":[{"uri":{}}],ROUTE}`,
	`{"match":[{"uri":{"prefix":""}}],ROUTE}`,
	`{"match":[{"uri":{"regex":""}}],ROUTE}`,
	`{"match":[{"uri":{"regex":"/a(?!b)"}}],ROUTE}`,
	`{"match":[{"uri":{"regex":"` + strings.Repeat("a", 1025) + `"}}],ROUTE}`,
	`{"match":[{"method":{"prefix":""}}],ROUTE}`,
	`{"match":[{"headers":{"x-user":{"exact":"a"}}}],ROUTE}`,
	`{"match":[{"headers":{"X-User":{"exact":""}}}],ROUTE}`,
	`{"match":[{"headers":{"x-user":{}}}],ROUTE}`,
	`{"match":[{"headers":{"x-user":null}}],ROUTE}`,
	`{"match":[{"headers":{"x user":{"exact":"a"}}}],ROUTE}`,
	`{"match":[{"headers":{"":{"exact":"a"}}}],ROUTE}`,
	`{"match":[{"headers":{":path":{"exact":"a"}}}],ROUTE}`,
	`{"match":[{"headers":{"x-user":{"prefix":""}}}],ROUTE}`,
	`{"match":[{"headers":{"x-user":{"regex":"*"}}}],ROUTE}`,
	`{"match":[{"withoutHeaders":{"x-user":{"regex":"*"}}}],ROUTE}`,
	`{"match":[{"withoutHeaders":{"x-user":{}}}],ROUTE}`,
	`{"match":[{"headers":{"cookie":{"regex":"^(.*;)?user=a(;.*)?$"}}},{"headers":{"x-user":{"exact":"a"}}}],ROUTE}`,
	`{"match":[{"queryParams":{"a":{"regex":"["}}}],ROUTE}`,
	`{"match":[{"port":0}],ROUTE}`,
	`{"match":[{"port":70000}],ROUTE}`,
	`{"match":[{"sourceLabels":{"app":"a b"}}],ROUTE}`,
	`{"match":[{"sourceLabels":{"app":"a"},"sourceNamespace":"b"}],ROUTE}`,
	`{"match":[{"sourceNamespace":"B c"}],ROUTE}`,
	`{"match":[{"gateways":["A B"]}],ROUTE}`,
	`{"match":[{"ignoreUriCase":"yes"}],ROUTE}`,
	`{"headers":{"request":{"set":{"x-version":"v2"},"remove":["x-user"]}},ROUTE}`,
	`{"headers":{"request":{"set":{"host":"a"}}},ROUTE}`,
	`{"headers":{"request":{"set":{":path":"a"}}},ROUTE}`,
	`{"headers":{"request":{"remove":["host"]}},ROUTE}`,
	`{"headers":{"response":{"add":{"Host":"a"}}},ROUTE}`,
	`{"headers":{"response":{"add":{"":"a"}}},ROUTE}`,
	`{"headers":{"response":{"set":{"x-version":2}}},ROUTE}`,
	`{"route":[{"destination":{"host":"a"},"headers":{"request":{"set":{"x-version":"v2"}}}}]}`,
	`{"route":[{"destination":{"host":"a"},"headers":{"response":{"remove":["host"]}}}]}`,
	`{"route":[{"destination":{"host":"*"}}]}`,
	`{"route":[{"destination":{"host":""}}]}`,
	`{"route":[{"destination":{"host":"a","subset":"v.2"}}]}`,
	`{"route":[{"destination":{"host":"a","subset":""}}]}`,
	`{"route":[{"destination":{"host":"a","port":{}}}]}`,
	`{"route":[{"destination":{"host":"a","port":{"number":0}}}]}`,
	`{"route":[{"destination":{"host":"a","port":{"number":9080}}}]}`,
	`{"route":[{"destination":{"host":"a","port":9080}}]}`,
	`{"route":[]}`,
	`{"route":[{"destination":{"host":"a"},"weight":0}]}`,
	`{"route":[{"destination":{"host":"a"},"weight":2147483647},{"destination":{"host":"b"},"weight":2147483647},{"destination":{"host":"c"},"weight":2}]}`,
	`{"mirror":{"host":"b","subset":"v2"},"mirrorPercent":101,ROUTE}`,
	`{"mirror":{"host":"b"},"mirrorPercent":null,ROUTE}`,
	`{"mirror":{"host":"b"},"mirror_percent":50,ROUTE}`,
	`{"mirror":{},ROUTE}`,
	`{"mirror":{"host":"*"},ROUTE}`,
	`{"mirrorPercentage":{"value":50},ROUTE}`,
	`{"mirrorPercentage":{},ROUTE}`,
	`{"mirrors":[{"destination":{"host":"b"},"percentage":{"value":50}},{"destination":{"host":"c"}}],ROUTE}`,
	`{"mirrors":[{"percentage":{"value":50}}],ROUTE}`,
	`{"mirrors":[{"destination":{"host":"b"},"percentage":{"value":-1}}],ROUTE}`,
	`{"mirrors":[{"destination":{"host":"b"},"percentage":{"value":101}}],ROUTE}`,
	`{"mirrors":[],"mirror":{"host":"b"},ROUTE}`,
	`{"corsPolicy":{"allowOrigins":[{"exact":"https://example.com"}],"allowMethods":["GET"],"maxAge":"24h"},ROUTE}`,
	`{"name":"",ROUTE}`,
	`{"name":1,ROUTE}`,
}

// The fake is known not to look at these; its documentation says so.
var (
	uncheckedSpecs = []string{
		`{"host":"a","workloadSelector":{"matchLabels":{"*":"a"}}}`,
		`{"host":"a","trafficPolicy":{"tls":{"mode":"MUTUAL"}}}`,
		`{"host":"a","trafficPolicy":{"loadBalancer":{"consistentHash":{"httpCookie":{"name":""}}}}}`,
		`{"host":"a","trafficPolicy":{"loadBalancer":{"warmup":{"duration":"10s","minimumPercent":101}}}}`,
	}
	uncheckedRules = []string{
		`{"corsPolicy":{"allowMethods":["FETCH"]},ROUTE}`,
		`{"headers":{"request":{"set":{"x-share":"5%"}}},ROUTE}`,
		`{"fault":{"abort":{"grpcStatus":"TIRED"}},ROUTE}`,
	}
	uncheckedPatches = []string{
		`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a","resources":{"limits":{"cpu":"1"},"requests":{"cpu":"2"}}}]}}}}`,
		`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a","volumeMounts":[{"name":"data","mountPath":"/data"}]}]}}}}`,
	}
)

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

// deploymentPatches are what is tried as a merge patch of a Deployment.
var deploymentPatches = []string{
	`{"spec":{"replicas":null}}`,
	`{"spec":{"replicas":1.5}}`,
	`{"spec":{"minReadySeconds":5}}`,
	`{"spec":{"minReadySeconds":-1}}`,
	`{"spec":{"minReadySeconds":600}}`,
	`{"spec":{"revisionHistoryLimit":-1}}`,
	`{"spec":{"progressDeadlineSeconds":0}}`,
	`{"spec":{"selector":null}}`,
	`{"spec":{"selector":{"matchLabels":{"b":"c"}},"template":{"metadata":{"labels":{"b":"c"}}}}}`,
	`{"spec":{"template":{"metadata":{"labels":{"version":"v2"}}}}}`,
	`{"spec":{"template":{"metadata":{"labels":{"app":null}}}}}`,
	`{"spec":{"template":{"metadata":{"labels":{"a":"not a label"}}}}}`,
	`{"spec":{"template":{"metadata":{"annotations":{"not a name":"b"}}}}}`,
	`{"spec":{"template":{"spec":{"containers":null}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a"}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a"}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"image":"a"}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"A b","image":"a"}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":" a"}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"Registry.example.com/a/B:1"}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"Registry.example.com:5000/a/b"}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a:1@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a@sha256:1"}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a"},{"name":"a","image":"b"}]}}}}`,
	`{"spec":{"template":{"spec":{"initContainers":[{"name":"a","image":"a"}]}}}}`,
	`{"spec":{"template":{"spec":{"initContainers":[{"name":"b","image":"b@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"localhost:5000/a"}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a:latest","env":[{"name":"B","value":"c"}]}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a","env":[{"value":"c"}]}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a","ports":[{"containerPort":80},{"containerPort":81,"name":"http"}]}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a","ports":[{"containerPort":70000}]}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a","ports":[{}]}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a","readinessProbe":{"httpGet":{"port":80}}}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a","livenessProbe":{"grpc":{"port":80}},"startupProbe":{"tcpSocket":{"port":"http"}}}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a","resources":{"limits":{"cpu":"1"},"requests":{"cpu":"500m"}}}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a","resources":{"limits":{"cpu":"much"}}}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a","env":[{"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}]}]}}}}`,
	`{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"a"}],"volumes":[{"name":"data","configMap":{"name":"data"}}]}}}}`,
	`{"spec":{"template":{"spec":{"restartPolicy":"Never"}}}}`,
	`{"spec":{"template":{"spec":{"serviceAccountName":"a"}}}}`,
	`{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":5}}}}`,
	`{"spec":{"strategy":{"type":"Recreate"}}}`,
	`{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}`,
	`{"spec":{"strategy":{"type":"Hope"}}}`,
	`{"spec":{"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":0}}}}`,
	`{"spec":{"strategy":{"rollingUpdate":{"maxSurge":"0%","maxUnavailable":"0%"}}}}`,
	`{"spec":{"strategy":{"rollingUpdate":{"maxSurge":"150%","maxUnavailable":0}}}}`,
	`{"spec":{"strategy":{"rollingUpdate":{"maxUnavailable":"101%"}}}}`,
	`{"spec":{"strategy":{"rollingUpdate":{"maxUnavailable":"few"}}}}`,
	`{"spec":{"strategy":{"rollingUpdate":{"maxSurge":-1}}}}`,
	`{"metadata":{"labels":{"a":"not a label"}}}`,
	`{"metadata":{"annotations":{"not a name":"b"}}}`,
	`{"metadata":{"annotations":{"a":null}}}`,
	`{"metadata":{"ownerReferences":[{"name":"a"}]}}`,
	`{"metadata":{"finalizers":["a b"]}}`,
	`{"metadata":{"creationTimestamp":null}}`,
	`{"metadata":{"generation":7,"deletionTimestamp":"2020-01-01T00:00:00Z"}}`,
}
