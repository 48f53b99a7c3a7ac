package traffic

import (
	"slices"

	"github.com/serin-go/serin/fake/internal/proxies"
	"github.com/serin-go/serin/fake/internal/rules"
)

// sender is the proxy of those that send requests, whatever they ask for.
type sender struct{ gateway, namespace, workload string }

// senders are the last requests of all proxies that ever sent one.
type senders map[sender]*rules.Call

func (s senders) note(c *rules.Call) {
	s[sender{c.From.Gateway, c.From.Namespace, c.From.Workload}] = c
}

// Refusing returns the senders of which a proxy refuses the routes that it was told last, in
// no order. Proxies that never sent a request are not known.
func (n *Net) Refusing() []rules.Source {
	var all []rules.Source
	for _, c := range n.senders {
		if slices.ContainsFunc(n.Views.Served(), func(s proxies.Served) bool { return s.Refuses(c) }) {
			all = append(all, c.From)
		}
	}
	return all
}
