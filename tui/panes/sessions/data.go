package sessions

import (
	"time"

	"gradecockpit/probes/activity"
)

// data is a session for programs; what is not known is null.
func (v view) data(s activity.Session, l activity.Link) map[string]any {
	return map[string]any{
		"kind": "session", "id": s.ID(), "pid": s.PID, "whose": string(s.Kind), "database": s.Database, "user": s.User, "application": s.App,
		"client": s.Client, "state": orNull(string(s.State)), "hidden": s.Hidden, "state_seconds": v.seconds(s.Since), "query_seconds": v.seconds(s.QueryAt),
		"transaction_seconds": v.seconds(s.Xact), "wrote": s.Wrote, "waits": s.Waits, "wait_event_type": s.WaitType, "wait_event": s.WaitEvent,
		"wait_seconds": v.seconds(s.WaitSince), "blocked_by": append([]int{}, s.BlockedBy...), "blocks": l.Blocks, "depth": l.Depth,
		"query": s.Text, "query_id": s.QueryID, "copies": append([]string{}, s.Copies...), "finalizes": []string{"no", "perhaps", "yes"}[s.Finalizes],
	}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// seconds since a moment; null where there is none.
func (v view) seconds(since time.Time) any {
	if since.IsZero() {
		return nil
	}
	return int(v.now.Sub(since).Seconds())
}

func (v view) limitsData() map[string]any {
	l := v.o.Limits
	return map[string]any{
		"kind": "connections", "used": l.Used, "max": l.Max, "superuser_reserved": l.Superuser, "reserved": l.Reserved, "free": l.Free(),
		"idle": v.o.Idle, "hidden": v.o.Hidden, "left_out": v.o.LeftOut, "sees_all": v.o.Rights.SeesAll, "may_signal": v.o.Rights.Signals || v.o.Rights.Superuser,
		"oldest_transaction_seconds": v.seconds(v.o.OldestTx),
	}
}

func groupData(g activity.Group) map[string]any {
	return map[string]any{
		"kind": "group", "whose": string(g.Kind), "database": g.Database, "user": g.User, "application": g.App,
		"connections": g.Total, "active": g.Active, "idle": g.Idle, "idle_in_transaction": g.InTx,
	}
}
