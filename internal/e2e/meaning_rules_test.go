package e2e_test

// headerNames are those of requests. Some mean other parts of a request, but not
// as headers.
var headerNames = []string{"x-user", "x-team", "method", "uri"}

// changedNames are those of headers that rules change, and nobody sends.
var changedNames = []string{"x-new", "x-upper"}

// httpRules makes the rules of a VirtualService, and the delegates that it needs.
func (g *generator) httpRules(to *batch, letter, namespace string) []any {
	var rules []any
	n := 1 + g.IntN(8)
	last := pick(g, 100, 0) // often one for all is the last one
	for i := range n {
		percent := 90
		if i == n-1 {
			percent = last
		}
		rule := g.conditional(percent)
		if g.chance(12) {
			rule["delegate"] = g.delegateTo(to, letter)
			g.maybeMirror(rule, namespace)
			g.changes(rule)
		} else {
			g.action(rule, namespace)
		}
		rules = append(rules, rule)
	}
	return rules
}

// conditional begins a rule, with match blocks as often as a percentage says.
func (g *generator) conditional(percent int) object {
	rule := object{}
	if g.chance(30) {
		rule["name"] = pick(g, "first", "second")
	}
	if g.chance(percent) {
		var blocks []any
		for range 1 + g.IntN(3) {
			blocks = append(blocks, g.block())
		}
		rule["match"] = blocks
	}
	return rule
}

// block makes a match block of few conditions, so that requests meet it.
func (g *generator) block() object {
	texts := func(name string, values ...object) func(object) {
		return func(b object) { b[name] = pick(g, values...) }
	}
	named := func(field string, names []string, values ...object) func(object) {
		return func(b object) { b[field] = object{pick(g, names...): pick(g, values...)} }
	}
	exact := func(s string) object { return object{"exact": s} }
	prefix := func(s string) object { return object{"prefix": s} }
	regex := func(s string) object { return object{"regex": s} }
	values := []object{exact("alice"), prefix("al"), regex("al|bob"), regex("a.*"), regex(".*"), exact("GET"), {}}
	uri := texts("uri", exact("/a"), exact("/A"), exact("/a/b"), prefix("/"), prefix("/a"), prefix("/a/"), prefix(""),
		regex("/a.*"), regex("/a|/b"), regex(".*"), regex("/[ab]"))
	conditions := []func(object){
		uri, uri, uri,
		func(b object) { uri(b); b["ignoreUriCase"] = true },
		texts("method", exact("GET"), regex("GET|HEAD|OPTIONS"), prefix("P")),
		texts("scheme", exact("http"), exact("https")),
		texts("authority", prefix("s"), exact(g.service.name), regex(".*example.*")),
		named("headers", headerNames, values...),
		named("headers", []string{"X-User"}, values...),
		named("withoutHeaders", headerNames, append(values, regex("*"))...),
		named("queryParams", []string{"x", "y"}, exact("1"), exact("2"), prefix("a"), regex("[0-9]+"), exact("%31"), object{}),
		func(b object) {
			b["sourceLabels"] = pick(g, object{"app": "web"}, object{"tier": "front"}, object{"app": "job"})
		},
		func(b object) { b["sourceNamespace"] = pick(g, g.near, g.far) },
		func(b object) { b["port"] = pick(g, 80, 9080) },
		func(b object) {
			b["gateways"] = pick(g, []string{"mesh"}, []string{g.near + "/front"}, []string{"mesh", g.far + "/side"})
		},
	}
	b := object{}
	for range 1 + g.IntN(2) {
		pick(g, conditions...)(b)
	}
	return b
}

// action makes a rule do something.
func (g *generator) action(rule object, namespace string) {
	switch g.IntN(10) {
	case 0:
		rule["redirect"] = g.redirect()
	case 1:
		rule["directResponse"] = object{"status": g.status()}
	default:
		rule["route"] = g.split(namespace)
		g.maybeMirror(rule, namespace)
	}
	g.changes(rule)
}

// status is another one for each rule of the set.
func (g *generator) status() int {
	g.rules++
	return 450 + g.rules
}

// split makes destinations. They may not all have weight 0, unless there is one.
func (g *generator) split(namespace string) []any {
	n := pick(g, 1, 1, 2, 2, 2, 3)
	var to []any
	some := n == 1
	for i := range n {
		d := object{"destination": g.to(namespace)}
		weight := pick(g, 0, 0, 1, 20, 33, 50, 80, 100, 999)
		if !some && i == n-1 && weight == 0 {
			weight = 7
		}
		if some = some || weight > 0; weight > 0 || g.chance(50) {
			d["weight"] = weight
		}
		if g.chance(12) {
			d["headers"] = g.headerChanges()
		}
		to = append(to, d)
	}
	return to
}

// to makes a destination: most are versions of the set's own service.
func (g *generator) to(namespace string) object {
	d := object{"host": g.hostFor(namespace, g.service), "subset": pick(g, "v1", "v2", "v3")}
	shared := func(name, namespace string) string { return name + "." + namespace + ".svc.cluster.local" }
	switch g.IntN(10) {
	case 0:
		d["host"] = pick(g, shared("one", g.near), shared("two", g.far), shared("both", g.near))
		d["subset"] = pick(g, "v1", "v2", "gone", "none")
	case 1:
		d = object{"host": pick(g, shared("one", g.near), shared("two", g.far), shared("both", g.near), shared("empty", g.near))}
	case 2:
		d = object{"host": pick(g, "nobody", "one."+g.near, "one", "two")}
	case 3:
		delete(d, "subset")
	case 4:
		if g.chance(70) {
			d = object{"host": shared(pick(g, oddities...), g.near), "port": object{"number": 80}}
		}
	}
	if g.chance(20) {
		d["port"] = object{"number": pick(g, 80, 9080, 1)}
	}
	return d
}

func (g *generator) maybeMirror(rule object, namespace string) {
	percentages := []any{nil, 0, 0.57, 33.3, 50, 100, 0.00001, 12.5}
	switch g.IntN(6) {
	case 0:
		rule["mirror"] = g.to(namespace)
		if p := pick(g, percentages...); p != nil {
			rule["mirrorPercentage"] = object{"value": p}
		} else if g.chance(30) {
			rule["mirrorPercent"] = pick(g, 0, 20)
		}
	case 1:
		var mirrors []any
		for range 1 + g.IntN(2) {
			m := object{"destination": g.to(namespace)}
			if p := pick(g, percentages...); p != nil {
				m["percentage"] = object{"value": p}
			}
			mirrors = append(mirrors, m)
		}
		rule["mirrors"] = mirrors
	}
}

// delegateTo makes a delegate, which may not be there, and names it.
func (g *generator) delegateTo(to *batch, letter string) object {
	g.delegates++
	name := g.name(letter) + "-" + string(rune('a'+g.delegates))
	namespace := pick(g, g.near, g.far)
	if g.chance(10) {
		return object{"name": name, "namespace": namespace}
	}
	var rules []any
	for range 1 + g.IntN(3) {
		rule := g.conditional(60)
		g.action(rule, namespace)
		rules = append(rules, rule)
	}
	spec := object{"http": rules}
	g.exportTo(spec, namespace)
	g.made = append(g.made, to.add(namespace, istioAPI, "VirtualService", name, spec))
	return object{"name": name, "namespace": namespace}
}
