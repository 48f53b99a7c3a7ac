package prometheus_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/metrics/prometheus"
)

func Example() {
	// A server that answers like Prometheus; yours is at http://prometheus:9090.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[
			{"metric":{"instance":"10.0.0.7:15020","response_code":"200"},"values":[[1772366395,"1000"],[1772366455,"2518"]]},
			{"metric":{"instance":"10.0.0.7:15020","response_code":"503"},"values":[[1772366455,"12"]]}]}}`)
	}))
	defer server.Close()

	client, err := api.NewClient(api.Config{Address: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	provider, err := prometheus.New(v1.NewAPI(client), prometheus.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	canary := metrics.Query{Arm: metrics.Arm{Workload: "reviews-v2", Namespace: "bookinfo"}}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	counts, err := provider.Counts(context.Background(), canary, metrics.Window{From: noon, To: noon.Add(time.Minute)})
	fmt.Println(counts, err)
	// Output: 12/1530 (0.78%) <nil>
}

// connect returns a Provider that asks a server, as Example does.
func connect(server *httptest.Server) (*prometheus.Provider, error) {
	client, err := api.NewClient(api.Config{Address: server.URL})
	if err != nil {
		return nil, err
	}
	return prometheus.New(v1.NewAPI(client), prometheus.Config{})
}

func ExampleProvider_Values() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.FormValue("query"))
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[
			{"metric":{},"values":[[1772366415,"310"],[1772366430,"330"],[1772366445,"NaN"],[1772366475,"350"]]}]}}`)
	}))
	defer server.Close()

	provider, err := connect(server)
	if err != nil {
		fmt.Println(err)
		return
	}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var windows []metrics.Window
	for i := range 3 {
		from := noon.Add(time.Duration(i) * 30 * time.Second)
		windows = append(windows, metrics.Window{From: from, To: from.Add(30 * time.Second)})
	}
	values, err := provider.Values(context.Background(), `avg(cart_open_sessions{version="v2"})`, windows)
	fmt.Println(values, err)
	// Output:
	// (avg(cart_open_sessions{version="v2"}))[1m30s:15s]
	// [320 NaN 350] <nil>
}

func ExampleSelector() {
	canary := metrics.Query{Arm: metrics.Arm{Service: "reviews-canary.bookinfo.svc.cluster.local"}}
	selector, err := prometheus.Selector(canary, metrics.Names{}, 5*time.Minute)
	fmt.Println(selector, err)
	// Output: istio_requests_total{reporter="source",destination_service="reviews-canary.bookinfo.svc.cluster.local"}[5m] <nil>
}
