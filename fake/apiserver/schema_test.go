package apiserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// rule is a patch that makes the only http rule of reviews something else.
func rule(json string) []byte {
	return []byte(`{"spec":{"http":[` + json + `]}}`)
}

const toReviews = `"route":[{"destination":{"host":"reviews"}}]`

func TestTheSchemaRefusesWhatTheCRDsRefuse(t *testing.T) {
	for _, tc := range []struct{ name, patch, field string }{
		{"text for a number", `{"route":[{"destination":{"host":"a"},"weight":"5"}]}`, "spec.http[0].route[0].weight"},
		{"a fraction for an integer", `{"route":[{"destination":{"host":"a"},"weight":0.5}]}`, "spec.http[0].route[0].weight"},
		{"a weight of more than 32 bits", `{"route":[{"destination":{"host":"a"},"weight":3000000000}]}`, "spec.http[0].route[0].weight"},
		{"a negative port", `{"route":[{"destination":{"host":"a","port":{"number":-1}}}]}`, "spec.http[0].route[0].destination.port.number"},
		{"no destination", `{"route":[{"weight":5}]}`, "spec.http[0].route[0].destination"},
		{"no host", `{"route":[{"destination":{"subset":"v1"}}]}`, "spec.http[0].route[0].destination.host"},
		{"no host of a mirror", `{"mirror":{},` + toReviews + `}`, "spec.http[0].mirror.host"},
		{"a duration without a unit", `{"timeout":"3",` + toReviews + `}`, "spec.http[0].timeout"},
		{"a duration below a millisecond", `{"timeout":"0s",` + toReviews + `}`, "spec.http[0].timeout"},
		{"a number for a duration", `{"timeout":3,` + toReviews + `}`, "spec.http[0].timeout"},
		{"an object for a list", `{"route":{}}`, "spec.http[0].route"},
		{"a list for an object", `{"route":[[]]}`, "spec.http[0].route[0]"},
		{"a list for a map", `{"match":[{"headers":[]}],` + toReviews + `}`, "spec.http[0].match[0].headers"},
		{"a number for a bool", `{"match":[{"ignoreUriCase":1}],` + toReviews + `}`, "spec.http[0].match[0].ignoreUriCase"},
		{"two ways to match", `{"match":[{"headers":{"x":{"exact":"a","regex":"b"}}}],` + toReviews + `}`, "spec.http[0].match[0].headers[x]"},
		{"text for a percentage", `{"mirrorPercentage":{"value":"all"},` + toReviews + `}`, "spec.http[0].mirrorPercentage.value"},
		{"a wrapper as an object", `{"mirrorPercent":{"value":1},` + toReviews + `}`, "spec.http[0].mirrorPercent"},
		{"text for a rule", `"x"`, "spec.http[0]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := virtualService(t, newServer(t, reviews))
			_, err := c.Patch(ctx, "reviews", types.MergePatchType, rule(tc.patch), metav1.PatchOptions{})
			require.True(t, apierrors.IsInvalid(err), "%v", err)
			causes := err.(apierrors.APIStatus).Status().Details.Causes
			require.Equal(t, tc.field, causes[0].Field, "%v", err)
		})
	}
}

func TestTheSchemaTakesWhatTheCRDsTake(t *testing.T) {
	for _, patch := range []string{
		`{"route":[{"destination":{"host":"a"},"weight":-7}]}`,
		`{"timeout":"1h30m","mirrorPercentage":{"value":0.5},"mirrorPercent":5,` + toReviews + `}`,
		`{"mirrorPercentage":{"value":5},"match":[{"headers":{"x":{"exact":"a"}},"ignoreUriCase":true}],` + toReviews + `}`,
		`{"redirect":{"derivePort":"FROM_REQUEST_PORT"}}`,
		`{"fromANewerVersion":{"any":["thing",1,null]},` + toReviews + `}`,
	} {
		c, _ := virtualService(t, newServer(t, reviews))
		_, err := c.Patch(ctx, "reviews", types.MergePatchType, rule(patch), metav1.PatchOptions{})
		require.NoError(t, err, patch)
	}
	newServer(t, `
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy:
    loadBalancer: {simple: ROUND_ROBIN}
    connectionPool: {tcp: {maxConnections: 100, connectTimeout: 30ms}}
    outlierDetection: {consecutive5xxErrors: 7}
    tls: {mode: ISTIO_MUTUAL}
  subsets: [{name: v1, labels: {version: v1}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec: {hosts: [a.example.org], location: MESH_EXTERNAL, resolution: DNS, ports: [{number: 443, name: tls}]}
`)
}

func TestUnknownFieldsAreRefusedUnderStrictValidationOnly(t *testing.T) {
	c, vs := virtualService(t, newServer(t, reviews))
	_, err := c.Patch(ctx, "reviews", types.JSONPatchType, guarded(vs.ResourceVersion, tenPercent),
		metav1.PatchOptions{FieldValidation: "Strict"})
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	require.ErrorContains(t, err, `unknown field "spec.newerThanAnyType"`)

	_, err = dynamicClient(t, newServer(t), virtualServices).Create(ctx, object(t, `{"apiVersion":"networking.istio.io/v1","kind":"VirtualService",
		"metadata":{"name":"x","conjured":1},"spec":{"http":[{"conjured":1}]}}`), metav1.CreateOptions{FieldValidation: "Strict"})
	require.True(t, apierrors.IsBadRequest(err), "%v", err)
	require.ErrorContains(t, err, `strict decoding error: unknown field "metadata.conjured", unknown field "spec.http[0].conjured"`)
}

func TestAServerThatPrunesDropsWhatNoTypeKnows(t *testing.T) {
	s := newServer(t, reviews)
	s.PruneUnknown()
	c, _ := virtualService(t, s)
	_, err := c.Patch(ctx, "reviews", types.MergePatchType,
		rule(`{"conjured":1,"match":[{"headers":{"x":{"exact":"a","conjured":1}}}],`+toReviews+`}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.Equal(t, document(t, []byte(`{"hosts":["reviews"],"http":[{"match":[{"headers":{"x":{"exact":"a"}}}],`+toReviews+`}]}`)),
		stored(t, s, virtualServices, "reviews")["spec"])
}

func TestAnEnumTakesItsNamesOnly(t *testing.T) {
	err := newServer(t).Load([]byte(`{"apiVersion":"networking.istio.io/v1","kind":"ServiceEntry","metadata":{"name":"x"},
		"spec":{"hosts":["a.example.org"],"resolution":"GUESS"}}`))
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	require.ErrorContains(t, err, `spec.resolution: Unsupported value: "GUESS"`)
}

func TestIstiosWebhookRefusesWhenItIsOn(t *testing.T) {
	const two = `[{"destination":{"host":"a"}},{"destination":{"host":"b"}}]`
	for _, tc := range []struct{ patch, message string }{
		{`{"route":[{"destination":{"host":"a"},"weight":-7}]}`, "weight -7 < 0"},
		{`{"route":` + two + `}`, "total destination weight = 0"},
		{`{"mirror":{"host":"a"},"mirrors":[{"destination":{"host":"b"}}],` + toReviews + `}`, "cannot contain both mirror and mirrors"},
		{`{"mirror":{"host":"a"},"mirrorPercentage":{"value":100.5},` + toReviews + `}`, "max value of 100"},
		{`{"mirror":{"host":"a"},"mirrorPercentage":{"value":-1},` + toReviews + `}`, "min value of 0"},
		{`{"mirror":{"host":"a"},"mirrorPercent":101,` + toReviews + `}`, "mirror_percent must have a max value of 100"},
		{`{"mirrors":[{"destination":{"host":"b"},"percentage":{"value":200}}],` + toReviews + `}`, "max value of 100"},
		{`{"redirect":{"uri":"/"},` + toReviews + `}`, "both route and redirect"},
		{`{"directResponse":{"status":200},` + toReviews + `}`, "both route and direct_response"},
		{`{"directResponse":{"status":200},"redirect":{"uri":"/"}}`, "both direct_response and redirect"},
		{`{"name":"r","delegate":{"name":"a"},` + toReviews + `}`, "root HTTP route r must not specify route"},
		{`{"name":"r","delegate":{"name":"a"},"redirect":{"uri":"/"}}`, "root HTTP route r must not specify redirect"},
		{`{"name":"none"}`, "HTTP route, redirect or direct_response is required"},
		{`{"name":"none"},{"route":` + two + `}`, "2 errors occurred"},
	} {
		t.Run(tc.message, func(t *testing.T) {
			s := newServer(t, reviews)
			c, _ := virtualService(t, s)
			_, err := c.Patch(ctx, "reviews", types.MergePatchType, rule(tc.patch), metav1.PatchOptions{DryRun: []string{"All"}})
			require.NoError(t, err, "the schema alone lets it pass")
			s.ValidateIstio()
			_, err = c.Patch(ctx, "reviews", types.MergePatchType, rule(tc.patch), metav1.PatchOptions{})
			require.True(t, apierrors.IsBadRequest(err), "%v", err)
			require.False(t, apierrors.IsInvalid(err))
			require.ErrorContains(t, err, `admission webhook "validation.istio.io" denied the request: configuration is invalid: `)
			require.ErrorContains(t, err, tc.message)
		})
	}
	s := newServer(t, reviews)
	s.ValidateIstio()
	require.ErrorContains(t, s.Load([]byte(`{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":{"name":"x"},
		"spec":{"host":"x","subsets":[{"name":"v1"},{"name":"v1"}]}}`)), "duplicate subset names: v1")
	require.ErrorContains(t, s.Load([]byte(`{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"x"},
		"spec":{"tcp":[{"route":[{"destination":{"host":"a"},"weight":-1}]}]}}`)), "weight -1 < 0")
	c, vs := virtualService(t, s)
	_, err := c.Patch(ctx, "reviews", types.JSONPatchType, guarded(vs.ResourceVersion, tenPercent), metav1.PatchOptions{})
	require.NoError(t, err)
}
