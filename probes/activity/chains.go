package activity

import (
	"cmp"
	"slices"
)

// Link is a session's place in a blocking tree.
type Link struct {
	PID   int // 0: a prepared transaction
	Depth int // 0: the root, which waits for nobody
	// Also are further sessions that this one waits for. A session stands once,
	// below the blocker that is nearest to a root, because one row is one
	// session that one marks and acts on; the others are named here.
	Also []int
	// Blocks counts the sessions that wait for it, directly or behind others.
	Blocks int
	// Deadlock marks a root that waits itself: a circle, which PostgreSQL ends
	// after deadlock_timeout.
	Deadlock bool
}

// Connect builds the trees from who is blocked by whom.
func (o *Overview) Connect() { o.Chains = chains(o.Sessions) }

// graph is who waits for whom, both ways.
type graph struct {
	waits, waiters map[int][]int
	depth, parent  map[int]int
}

func chains(sessions []Session) []Link {
	g := graph{map[int][]int{}, map[int][]int{}, map[int]int{}, map[int]int{}}
	for _, s := range sessions {
		for _, by := range s.BlockedBy {
			g.waits[s.PID] = append(g.waits[s.PID], by)
			g.waiters[by] = append(g.waiters[by], s.PID)
		}
	}
	var out []Link
	for _, root := range g.roots() {
		out = g.flatten(out, root, len(g.waits[root]) > 0)
	}
	return out
}

// roots are the sessions that wait for nobody, those that block most first;
// then one of each circle that none of them leads to. Every session gets its
// depth and parent, breadth first, so that it stands as near to a root as it can.
func (g *graph) roots() []int {
	var roots, circled []int
	for pid := range g.waiters {
		if len(g.waits[pid]) == 0 {
			roots = append(roots, pid)
		} else {
			circled = append(circled, pid)
		}
	}
	g.byReach(roots)
	g.reach(roots)
	slices.Sort(circled)
	for _, pid := range circled {
		if _, known := g.depth[pid]; !known {
			roots = append(roots, pid)
			g.reach([]int{pid})
		}
	}
	return roots
}

func (g *graph) byReach(pids []int) {
	slices.SortFunc(pids, func(a, b int) int {
		return cmp.Or(cmp.Compare(g.behind(b), g.behind(a)), cmp.Compare(a, b))
	})
}

// reach walks breadth first from the roots of some trees.
func (g *graph) reach(queue []int) {
	for _, root := range queue {
		g.depth[root] = 0
	}
	for len(queue) > 0 {
		pid := queue[0]
		queue = queue[1:]
		for _, w := range g.waiters[pid] {
			if _, known := g.depth[w]; !known {
				g.depth[w], g.parent[w] = g.depth[pid]+1, pid
				queue = append(queue, w)
			}
		}
	}
}

// behind counts all that wait for a session, directly or not.
func (g *graph) behind(pid int) int {
	seen := map[int]bool{pid: true}
	queue := []int{pid}
	for len(queue) > 0 {
		for _, w := range g.waiters[queue[0]] {
			if !seen[w] {
				seen[w] = true
				queue = append(queue, w)
			}
		}
		queue = queue[1:]
	}
	return len(seen) - 1
}

// flatten lists a tree, the children that block most first.
func (g *graph) flatten(out []Link, pid int, circle bool) []Link {
	l := Link{PID: pid, Depth: g.depth[pid], Blocks: g.behind(pid), Deadlock: circle}
	for _, by := range g.waits[pid] {
		if l.Depth > 0 && by != g.parent[pid] {
			l.Also = append(l.Also, by)
		}
	}
	out = append(out, l)
	var children []int
	for _, w := range g.waiters[pid] {
		if g.depth[w] > 0 && g.parent[w] == pid {
			children = append(children, w)
		}
	}
	g.byReach(children)
	for _, c := range children {
		out = g.flatten(out, c, false)
	}
	return out
}
