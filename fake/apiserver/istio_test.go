package apiserver_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// admitted creates an object without Istio's webhook, which must do, and then with it.
func admitted(t *testing.T, resource, kind, spec string) error {
	t.Helper()
	s := newServer(t)
	o := object(t, `{"apiVersion":"networking.istio.io/v1","kind":"`+kind+`","metadata":{"name":"x"},"spec":`+spec+`}`)
	_, err := dynamicClient(t, s, resource).Create(ctx, o, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	require.NoError(t, err, "the schema alone lets it pass: %s", spec)
	s.ValidateIstio()
	_, err = dynamicClient(t, s, resource).Create(ctx, o, metav1.CreateOptions{})
	return err
}

func TestIstiosWebhookRefusesRulesThatMakeNoSense(t *testing.T) {
	for rule, message := range map[string]string{
		`{"match":[{"uri":{"regex":"["}}],ROUTE}`:                                         "RE2 style regex",
		`{"match":[{"uri":{"regex":""}}],ROUTE}`:                                          "should not be empty",
		`{"match":[{"uri":{"regex":"` + strings.Repeat("a", 1025) + `"}}],ROUTE}`:         "regex is too large",
		`{"match":[{"method":{"prefix":""}}],ROUTE}`:                                      `"method": prefix string match`,
		`{"match":[{"headers":{"x user":{"exact":"a"}}}],ROUTE}`:                          "not a valid header name",
		`{"match":[{"withoutHeaders":{"x-user":{"prefix":""}}}],ROUTE}`:                   `"withoutHeaders": prefix string match`,
		`{"match":[{"queryParams":{"a":{"regex":"["}}}],ROUTE}`:                           "RE2 style regex",
		`{"match":[{"port":70000}],ROUTE}`:                                                "port number 70000",
		`{"match":[{"sourceLabels":{"a b":"c"}}],ROUTE}`:                                  `invalid tag key: "a b"`,
		`{"match":[{"sourceLabels":{"a":"b c"}}],ROUTE}`:                                  `invalid tag value: "b c"`,
		`{"match":[{"sourceNamespace":"B c"}],ROUTE}`:                                     "sourceNamespace match B c is invalid",
		`{"match":[{"gateways":["B c/d"]}],ROUTE}`:                                        "invalid value for namespace",
		`{"headers":{"request":{"set":{":path":"a"}}},ROUTE}`:                             `header cannot have ":" prefix`,
		`{"headers":{"request":{"set":{"x":"5%"}}},ROUTE}`:                                "header value configuration",
		`{"headers":{"response":{"add":{"x":"%REQ(a)"}}},ROUTE}`:                          "header value configuration",
		`{"rewrite":{"authority":"a"},"headers":{"request":{"add":{"Host":"b"}}},ROUTE}`:  "authority header cannot be set multiple times",
		`{"headers":{"request":{"remove":["host"]}},ROUTE}`:                               "cannot set Host header",
		`{"route":[{"destination":{"host":"a"},"headers":{"response":{"add":{"":""}}}}]}`: "header name cannot be empty",
		`{"route":[{"destination":{"host":"*"}}]}`:                                        "invalid destination host *",
		`{"route":[{"destination":{"host":"a b"}}]}`:                                      `label "a b" invalid`,
		`{"route":[{"destination":{"host":"a.1"}}]}`:                                      "cannot be all-numeric",
		`{"route":[{"destination":{"host":"a..b"}}]}`:                                     `label "" invalid`,
		`{"route":[{"destination":{"host":"a","subset":"v.1"}}]}`:                         "subset name is invalid: v.1",
		`{"route":[{"destination":{"host":"a","port":{"number":70000}}}]}`:                "port number 70000",
		`{"timeout":"1500us",ROUTE}`:                                                      "only durations to ms precision",
		`{"retries":{"attempts":-1},ROUTE}`:                                               "attempts cannot be negative",
		`{"retries":{"retryOn":"5xx"},ROUTE}`:                                             "when attempts are set to 0",
		`{"retries":{"attempts":1,"retryOn":"503,luck"},ROUTE}`:                           `"luck" is not a valid retryOn policy`,
		`{"fault":{},ROUTE}`:                                                              "must have an abort and/or a delay",
		`{"fault":{"abort":{"httpStatus":99}},ROUTE}`:                                     "HTTP status 99",
		`{"fault":{"delay":{"fixedDelay":"1s","percentage":{"value":0.00001}}},ROUTE}`:    "neither 0.0, nor in range",
		`{"rewrite":{},ROUTE}`:                                                            "rewrite must specify at least one",
		`{"rewrite":{"uri":"/","uriRegexRewrite":{"match":"a","rewrite":"b"}},ROUTE}`:     "only contain one of URI",
		`{"rewrite":{"uriRegexRewrite":{"match":"["}},ROUTE}`:                             "requires both Rewrite and Match",
		`{"redirect":{}}`: "redirect must specify URI",
		`{"redirect":{"uri":"/","prefixRewrite":"/"}}`:                               "only specify one of uri or prefix_rewrite",
		`{"match":[{"uri":{"exact":"/"}}],"redirect":{"prefixRewrite":"/"}}`:         "requires all URI matches to use prefix",
		`{"redirect":{"uri":"/","redirectCode":200}}`:                                "200 is not a valid redirect code",
		`{"redirect":{"uri":"/","scheme":"gopher"}}`:                                 "invalid redirect scheme",
		`{"redirect":{"port":70000}}`:                                                "port number 70000",
		`{"directResponse":{"status":99}}`:                                           "HTTP status 99",
		`{"mirrors":[{"destination":{"host":"a"},"percentage":{"value":-1}}],ROUTE}`: "min value of 0",
	} {
		rule = strings.Replace(rule, "ROUTE", toReviews, 1)
		err := admitted(t, virtualServices, "VirtualService", `{"hosts":["a"],"http":[`+rule+`]}`)
		require.True(t, apierrors.IsBadRequest(err), "%s: %v", rule, err)
		require.ErrorContains(t, err, message, rule)
	}
}

func TestIstiosWebhookRefusesObjectsThatMakeNoSense(t *testing.T) {
	const http = `"http":[{` + toReviews + `}]`
	for spec, message := range map[string]string{
		`{"hosts":["a"]}`:                                   "http, tcp or tls must be provided",
		`{"hosts":["*"],` + http + `}`:                      "wildcard host * is not allowed",
		`{"hosts":["a","a"],` + http + `}`:                  "duplicate hosts in virtual service: a & a",
		`{"hosts":["a.b","*.b"],` + http + `}`:              "duplicate hosts",
		`{"hosts":["*.b","a.b"],` + http + `}`:              "duplicate hosts",
		`{"hosts":["*.b","*.a.b"],` + http + `}`:            "duplicate hosts",
		`{"hosts":[""],` + http + `}`:                       "of 1 to 255 characters",
		`{"hosts":["a"],"gateways":["a b"],` + http + `}`:   `label "a b" invalid`,
		`{"hosts":["a"],"gateways":["a/b c"],` + http + `}`: `invalid value for gateway name: "b c"`,
		`{"gateways":["a"],` + http + `}`:                   "delegate virtual service must have no gateways",
		`{"hosts":["a"],"exportTo":["a","a"],` + http + `}`: "duplicate entries in exportTo",
		`{"hosts":["a"],"exportTo":[".","*"],` + http + `}`: "cannot have both public",
		`{"hosts":["a"],"exportTo":["~"],` + http + `}`:     "exportTo ~ (none) is not allowed",
		`{"hosts":["a"],"exportTo":["a b"],` + http + `}`:   "is allowed as exportTo entry",
		`{"hosts":["a"],"tcp":[{}]}`:                        "TCP route is required",
		`{"hosts":["a"],"tls":[{"match":[]}]}`:              "must have at least one match condition",
	} {
		err := admitted(t, virtualServices, "VirtualService", spec)
		require.True(t, apierrors.IsBadRequest(err), "%s: %v", spec, err)
		require.ErrorContains(t, err, message, spec)
	}
	for spec, message := range map[string]string{
		`{"host":"a","subsets":[{"name":""}]}`:                                      "subset name cannot be empty",
		`{"host":"a","subsets":[{"name":"v1","trafficPolicy":{}}]}`:                 "traffic policy must have at least one field",
		`{"host":"a","subsets":[{"name":"v1","labels":{"a":"b c"}}]}`:               "invalid tag value",
		`{"host":"a","trafficPolicy":{"connectionPool":{}}}`:                        "connection pool must have at least one field",
		`{"host":"a","trafficPolicy":{"outlierDetection":{"minHealthPercent":-1}}}`: "percentage -1 is not in range",
	} {
		err := admitted(t, "destinationrules.networking.istio.io", "DestinationRule", spec)
		require.True(t, apierrors.IsBadRequest(err), "%s: %v", spec, err)
		require.ErrorContains(t, err, message, spec)
	}
}

func TestIstiosWebhookTakesWhatMakesSense(t *testing.T) {
	for _, spec := range []string{
		`{"hosts":["a","*.b","c.d.","10.0.0.1"],"http":[{"match":[{"uri":{"prefix":""},"headers":{":path":{},"@request.auth.claims.a":{"exact":"b"}},
			"withoutHeaders":{"x-user":{"regex":"*"}},"port":80,"sourceLabels":{"a/b":""}}],"retries":{"attempts":1,"retryOn":"5xx,503","perTryTimeout":"1s"},
			"headers":{"request":{"set":{"Host":"a"}}},"fault":{"delay":{"fixedDelay":"1s"}},"rewrite":{"uriRegexRewrite":{"match":"a","rewrite":"b"}},
			"timeout":"1.5s",` + toReviews + `}]}`,
		`{"hosts":["*"],"gateways":["a/b","edge"],"http":[{"redirect":{"port":8080,"redirectCode":308}}]}`,
		`{"hosts":["a"],"http":[{"match":[{"uri":{"prefix":"/b"}}],"redirect":{"prefixRewrite":"/"}}]}`,
		`{"hosts":["a"],"exportTo":["."],"tls":[{"match":[{"sniHosts":["a"]}],"route":[{"destination":{"host":"a"}}]}]}`,
		`{"hosts":["a"],"http":[{"mirrorPercent":null,"mirror_percent":5,"mirror":{"host":"b"},` + toReviews + `}]}`,
		`{"http":[{"directResponse":{"status":503}}]}`,
	} {
		require.NoError(t, admitted(t, virtualServices, "VirtualService", spec))
	}
	require.NoError(t, admitted(t, "destinationrules.networking.istio.io", "DestinationRule",
		`{"host":"a","trafficPolicy":{"outlierDetection":{"maxEjectionPercent":50,"interval":"1s","consecutive5xxErrors":null},
		"connectionPool":{"tcp":{"idleTimeout":"0s"}},"loadBalancer":{"simple":null,"localityLbSetting":{"distribute":[{"to":{"a":100,"b":null}}]}}}}`))
}

// R10: a tls rule asks for hosts of its object.
func TestNamesOfTLSRulesAreHostsOfTheObject(t *testing.T) {
	spec := func(host, name string) string {
		return `{"hosts":["` + host + `"],"tls":[{"match":[{"sniHosts":["` + name + `"]}],"route":[{"destination":{"host":"a"}}]}]}`
	}
	for _, c := range [][2]string{{"a.com", "b.com"}, {"a.com", "x.a.com"}, {"*.x.a.com", "*.a.com"}, {"*.a.com", "a.com"}} {
		require.ErrorContains(t, admitted(t, virtualServices, "VirtualService", spec(c[0], c[1])), "is not a compatible subset of any of the virtual service hosts", c)
	}
	for _, c := range [][2]string{{"a.com", "a.com"}, {"*.a.com", "x.a.com"}, {"*.a.com", "*.x.a.com"}, {"a.com", "10.0.0.1"}} {
		require.NoError(t, admitted(t, virtualServices, "VirtualService", spec(c[0], c[1])), c)
	}
}
