package metrics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/metrics"
)

var reviews = metrics.Arm{Workload: "reviews-v2", Namespace: "bookinfo"}

func TestAQueryNamesAnArmInOneOfThreeWays(t *testing.T) {
	for _, arm := range []metrics.Arm{
		reviews,
		{Revision: "v2", Service: "reviews.bookinfo.svc.cluster.local"},
		{Service: "reviews-canary.bookinfo.svc.cluster.local"},
	} {
		require.NoError(t, metrics.Query{Arm: arm}.Validate(), "%v", arm)
	}
}

func TestAQueryReportsEveryMistakeAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		query metrics.Query
		want  []string
	}{
		"zero":                {metrics.Query{}, []string{"the arm needs a workload or a service"}},
		"revision alone":      {metrics.Query{Arm: metrics.Arm{Revision: "v2"}}, []string{"the arm needs a workload or a service"}},
		"no namespace":        {metrics.Query{Arm: metrics.Arm{Workload: "a"}}, []string{`the namespace of workload "a" is missing`}},
		"everything is wrong": {metrics.Query{Reporter: 9, Signal: metrics.SlowerThan(0)}, []string{"the arm needs", "reporter 9", "slower than 0s"}},
		"range turned round":  {metrics.Query{Arm: reviews, Signal: metrics.HTTPStatus(599, 500)}, []string{"status 599 to 500"}},
		"not a status":        {metrics.Query{Arm: reviews, Signal: metrics.HTTPStatus(0, 599)}, []string{"status 0 to 599"}},
		"status too large":    {metrics.Query{Arm: reviews, Signal: metrics.HTTPStatus(500, 600)}, []string{"status 500 to 600"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.query.Validate()
			require.ErrorIs(t, err, metrics.ErrBadQuery)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.Equal(t, 1, strings.Count(err.Error(), "metrics:"))
		})
	}
}

func TestAQueryReadsAsASentence(t *testing.T) {
	for _, c := range []struct {
		query metrics.Query
		want  string
	}{
		{metrics.Query{Arm: reviews}, "server errors to reviews-v2.bookinfo, reported by the source"},
		{metrics.Query{Arm: metrics.Arm{Service: "r.b.svc", Revision: "v2", Namespace: "b"}, Reporter: metrics.Destination, Signal: metrics.GRPCErrors()},
			"gRPC errors to namespace b, revision v2, service r.b.svc, reported by the destination"},
		{metrics.Query{Reporter: metrics.Waypoint, Signal: metrics.HTTPStatus(400, 599)}, "answers 400 to 599 to no arm, reported by the waypoint"},
		{metrics.Query{Arm: reviews, Reporter: 7, Signal: metrics.SlowerThan(250 * time.Millisecond)},
			"requests slower than 250ms to reviews-v2.bookinfo, reported by the Reporter(7)"},
	} {
		require.Equal(t, c.want, c.query.String())
	}
}

func TestWhichRequestsAreBad(t *testing.T) {
	var (
		server = metrics.ServerErrors()
		theirs = metrics.ClientErrors()
		client = metrics.HTTPStatus(400, 599)
		grpc   = metrics.GRPCErrors()
		slow   = metrics.SlowerThan(time.Second)
	)
	for _, c := range []struct {
		code, status                   string
		server, theirs, client4x, grpc bool
	}{
		{"200", "", false, false, false, true}, // a gRPC call without a status has failed
		{"200", "0", false, false, false, false},
		{"200", "14", true, false, false, true},
		{"200", "2", true, false, false, true},
		{"200", "16", false, true, false, true},
		{"200", "3", false, true, false, true},
		{"200", "99", false, true, false, true},
		{"401", "", false, true, true, true},
		{"403", "7", false, true, true, true},
		{"404", "", false, true, true, true},
		{"429", "", false, true, true, true},
		{"400", "", false, true, true, true},
		{"499", "", false, true, true, true},
		{"500", "", true, false, true, true},
		{"503", "14", true, false, true, true},
		{"599", "", true, false, true, true},
		{"600", "", false, false, false, true},
		{"0", "", false, true, false, false}, // the client left
		{"0", "1", false, true, false, false},
		{"0", "14", false, true, false, false},
		{"", "0", false, false, false, true},
		{"5xx", "0", false, false, false, true},
	} {
		require.Equal(t, c.server, server.Failed(c.code, c.status), "server %q %q", c.code, c.status)
		require.Equal(t, c.theirs, theirs.Failed(c.code, c.status), "client %q %q", c.code, c.status)
		require.Equal(t, c.client4x, client.Failed(c.code, c.status), "4xx %q %q", c.code, c.status)
		require.Equal(t, c.grpc, grpc.Failed(c.code, c.status), "gRPC %q %q", c.code, c.status)
		require.False(t, slow.Failed(c.code, c.status), "slow %q %q", c.code, c.status)
	}
}

func TestTheZeroSignalIsServerErrors(t *testing.T) {
	require.Equal(t, metrics.ServerErrors(), metrics.Signal{})
	require.True(t, metrics.GRPCErrors().GRPC())
	require.False(t, metrics.ServerErrors().GRPC())
	_, ok := metrics.ServerErrors().Bound()
	require.False(t, ok)
	bound, ok := metrics.SlowerThan(time.Second).Bound()
	require.True(t, ok)
	require.Equal(t, time.Second, bound)
}

func TestNamesAreIstiosUnlessGiven(t *testing.T) {
	names := metrics.Names{Workload: "dst_workload"}.OrStandard()
	require.Equal(t, "istio_requests_total", names.Requests)
	require.Equal(t, "dst_workload", names.Workload)
	require.NoError(t, names.Validate())
	require.NoError(t, metrics.Names{Requests: "job:istio_requests:sum"}.Validate())

	err := metrics.Names{Requests: "a-b", Reporter: `x"} or vector(1)`, Service: "1st", Instance: "a:b"}.Validate()
	require.ErrorIs(t, err, metrics.ErrBadQuery)
	for _, field := range []string{"Requests", "Reporter", "Service", "Instance"} {
		require.ErrorContains(t, err, field)
	}
}

func TestCountsPrintForAPerson(t *testing.T) {
	require.Equal(t, "12/1530 (0.78%)", metrics.Counts{Total: 1530, Bad: 12}.String())
	require.Equal(t, "no requests", metrics.Counts{}.String())
	require.Equal(t, metrics.Counts{Total: 3, Bad: 2}, metrics.Counts{Total: 1, Bad: 1}.Add(metrics.Counts{Total: 2, Bad: 1}))
}
