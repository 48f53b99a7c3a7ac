package envoy

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

// counted is what a log makes of some writes: the labels of each series.
func counted(t *testing.T, gateway bool, writes ...string) []map[string]string {
	registry := prometheus.NewRegistry()
	log := &accessLog{telemetry: newTelemetry(registry), self: peer{Workload: "client", Namespace: "shop"}, proxy: Proxy{Gateway: gateway}}
	for _, text := range writes {
		n, err := log.Write([]byte(text))
		require.NoError(t, err)
		require.Len(t, text, n)
	}
	families, err := registry.Gather()
	require.NoError(t, err)
	var all []map[string]string
	for _, f := range families {
		if f.GetType() != dto.MetricType_COUNTER {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			all = append(all, labels)
		}
	}
	return all
}

func TestALineMayComeInParts(t *testing.T) {
	const line = `{"code":200,"flags":"-","duration":3,"workload":"reviews-v1;shop;reviews;v1;Kubernetes","services":[{"host":"reviews.shop.svc.cluster.local","name":"reviews","namespace":"shop"}]}` + "\n"
	all := counted(t, false, line[:7], line[7:]+line[:20], line[20:])
	require.Len(t, all, 1)
	require.Subset(t, all[0], map[string]string{
		"destination_workload": "reviews-v1", "destination_canonical_revision": "v1",
		"destination_service": "reviews.shop.svc.cluster.local", "response_code": "200", "response_flags": "-", "request_protocol": "http",
	})
}

func TestWithoutAClusterASidecarNamesTheHostThatWasAskedFor(t *testing.T) {
	const line = `{"code":503,"flags":"NC","duration":0,"authority":"reviews:9080","workload":null,"services":null}` + "\n"
	require.Subset(t, counted(t, false, line)[0], map[string]string{
		"destination_workload": "unknown", "destination_service": "reviews:9080", "destination_service_namespace": "unknown", "response_flags": "NC",
	})
	require.Equal(t, "unknown", counted(t, true, line)[0]["destination_service"], "a gateway names none")
}

func TestAGRPCRequestHasAStatus(t *testing.T) {
	const line = `{"code":200,"flags":"-","duration":0,"contentType":"application/grpc","grpcStatus":14}` + "\n"
	require.Subset(t, counted(t, false, line)[0], map[string]string{"request_protocol": "grpc", "grpc_response_status": "14"})
}

func TestALineThatIsNotUnderstoodEndsEnvoy(t *testing.T) {
	ended := false
	log := &accessLog{telemetry: newTelemetry(prometheus.NewRegistry()), unreadable: func() { ended = true }}
	_, err := log.Write([]byte("terminate called\n"))
	require.ErrorContains(t, err, "terminate called")
	require.True(t, ended)
}
