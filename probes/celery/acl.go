package celery

// ReaderACL is what a Redis user needs for every pane: to read queues and
// results, to hear events, and to ask the workers, for which it keeps a reply
// list of its own. OperatorACL is what it needs to act too: to publish a task,
// to move messages into quarantine and back, and to put back orphans. They are
// for the default names (database 0, the deployed queues, no prefix); the
// README shows them and a test runs the cockpit with nothing else.
const (
	ReaderACL = "~celery* ~import* ~finalize* ~maintenance* ~unacked* ~_kombu.binding.* ~*.reply.celery.pidbox ~cockpit:*" +
		" &/0.celery.pidbox &/0.celeryev/* &celery-task-meta-*" +
		" +ping +hello +select +info +time +multi +exec +scan +llen +lindex +lrange +hlen +hscan +srandmember +get +mget +pttl +zscore +psubscribe +client|list +hmget" +
		" +publish +brpop +sadd +srem +del +expire +hset +hdel +hgetall"
	OperatorACL = ReaderACL + " +lpush +rpush +eval +evalsha +exists +lpop +rpop +rename +renamenx +persist +hget +zrem +lrem"
)
