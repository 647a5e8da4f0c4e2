package conn

// recency orders connections by their use. It is a list through the connections
// themselves, as every event moves one.
type recency struct {
	latest, oldest *Conn
}

// neighbours are a connection's in the list: used after it and before it.
type neighbours struct {
	later, earlier *Conn
}

// touch makes c the latest. It must be in the list.
func (r *recency) touch(c *Conn) {
	if r.latest == c {
		return
	}
	r.remove(c)
	r.add(c)
}

// add puts c into the list as the latest.
func (r *recency) add(c *Conn) {
	c.use = neighbours{earlier: r.latest}
	if r.latest != nil {
		r.latest.use.later = c
	} else {
		r.oldest = c
	}
	r.latest = c
}

func (r *recency) remove(c *Conn) {
	if c.use.later != nil {
		c.use.later.use.earlier = c.use.earlier
	} else {
		r.latest = c.use.earlier
	}
	if c.use.earlier != nil {
		c.use.earlier.use.later = c.use.later
	} else {
		r.oldest = c.use.later
	}
	c.use = neighbours{}
}
