"""A Celery application with the one task that the tests send."""
import os
import time

import redis
from celery import Celery

url = os.environ["CELERY_BROKER_URL"]
app = Celery("tinyapp", broker=url, backend=url)
app.conf.task_track_started = True


@app.task(name="grading.tasks.async_finalize_copy")
def finalize(copy_id, user_id, lock_token=None):
    """Runs until the test sets the key "go"; fails for user 0."""
    server = redis.Redis(unix_socket_path=os.environ["REDIS_SOCKET"])
    while not server.exists("go"):
        time.sleep(0.01)
    if user_id == 0:
        raise RuntimeError("no user")
    return {"status": "error", "copy_id": copy_id, "detail": "said by the task", "user": user_id}
