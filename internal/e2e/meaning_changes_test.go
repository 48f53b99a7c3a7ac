package e2e_test

import (
	"fmt"
	"strings"
)

// changes gives a rule some of what else Istio does with requests: headers, another
// path or host, faults, timeouts and retries.
func (g *generator) changes(rule object) {
	_, answers := rule["directResponse"]
	_, redirects := rule["redirect"]
	if g.chance(25) {
		rule["headers"] = g.headerChanges()
	}
	if answers || redirects {
		return
	}
	if g.chance(15) {
		rewrite := g.rewrite()
		if setsHost(rule) {
			delete(rewrite, "authority") // Istio takes one of them
		}
		if len(rewrite) > 0 {
			rule["rewrite"] = rewrite
		}
	}
	if g.chance(15) {
		rule["fault"] = g.fault()
	}
	if g.chance(25) || strings.Contains(fmt.Sprint(rule["route"]), "late.") {
		rule["timeout"] = pick(g, late, late, "10s")
	}
	switch {
	case g.chance(50): // Istio's own policy
	case g.chance(40):
		rule["retries"] = object{"attempts": 0}
	default:
		retries := object{"attempts": pick(g, 1, 1, 2, 3)}
		if g.chance(80) {
			retries["retryOn"] = pick(g, "5xx", "gateway-error", "connect-failure", "503", "retriable-status-codes,503", "reset", "retriable-4xx", "connect-failure,503", "500")
		}
		if g.chance(20) {
			retries["perTryTimeout"] = late
		}
		rule["retries"] = retries
	}
}

// setsHost reports whether a rule or one of its destinations sets the Host.
func setsHost(rule object) bool {
	text := fmt.Sprint(rule["headers"], rule["route"])
	return strings.Contains(text, "set.example.com")
}

// late is a timeout that pods keep, but for those that are slow. It is longer than
// what Envoy waits between four tries, which the fake leaves out.
const late = "0.3s"

func (g *generator) headerChanges() object {
	operations := func(hosts bool) object {
		o := object{}
		names := append([]string{"x-new", "X-Upper"}, headerNames[:2]...)
		values := []string{"one", "two", "%REQ(x-user)%", "100%%", "a, b"}
		if g.chance(60) {
			o["set"] = object{pick(g, names...): pick(g, values...)}
			if hosts && g.chance(15) {
				o["set"] = object{pick(g, "host", ":authority"): "set.example.com"}
			}
		}
		if g.chance(40) {
			o["add"] = object{pick(g, names...): pick(g, values...)}
		}
		if g.chance(40) {
			o["remove"] = []string{pick(g, names...)}
		}
		return o
	}
	h := object{}
	if g.chance(70) {
		h["request"] = operations(true)
	}
	if g.chance(50) {
		h["response"] = operations(false)
	}
	return h
}

func (g *generator) rewrite() object {
	r := object{}
	switch g.IntN(4) {
	case 0:
		r["uriRegexRewrite"] = object{"match": pick(g, "^/a(.*)$", "/a", "[a-z]"), "rewrite": pick(g, `/z\1`, "/z")}
		if r["uriRegexRewrite"].(object)["rewrite"] == `/z\1` {
			r["uriRegexRewrite"].(object)["match"] = "^/a(.*)$"
		}
	default:
		r["uri"] = pick(g, "/", "/r", "/r/", "/A")
	}
	if g.chance(30) {
		r["authority"] = "rewritten.example.com"
	}
	if g.chance(10) {
		delete(r, "uri")
		delete(r, "uriRegexRewrite")
		r["authority"] = "rewritten.example.com"
	}
	return r
}

func (g *generator) fault() object {
	share := func(o object) object {
		if g.chance(80) {
			o["percentage"] = object{"value": pick(g, 0, 12.5, 50, 100)}
		}
		return o
	}
	f := object{}
	if g.chance(70) {
		f["abort"] = share(object{"httpStatus": pick(g, 418, 503)})
	}
	if len(f) == 0 || g.chance(40) {
		f["delay"] = share(object{"fixedDelay": "0.005s"})
	}
	return f
}

// redirect makes one. Where it leads to may come from the request.
func (g *generator) redirect() object {
	r := object{}
	if g.chance(70) {
		r["uri"] = pick(g, "/elsewhere", "/elsewhere?y=1")
	}
	if g.chance(40) {
		r["authority"] = pick(g, "other.example.com", "other.example.com:8443")
	}
	switch {
	case len(r) == 0 || g.chance(15):
		r["port"] = pick(g, 80, 8443)
	case g.chance(15):
		r["derivePort"] = pick(g, "FROM_REQUEST_PORT", "FROM_PROTOCOL_DEFAULT")
	}
	if g.chance(20) {
		r["scheme"] = pick(g, "http", "https")
	}
	if g.chance(60) {
		r["redirectCode"] = pick(g, 301, 302, 303, 307, 308)
	}
	return r
}
