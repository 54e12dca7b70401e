"""A Celery application with the two tasks of the grading system.

DIALECT chooses the signatures. What a task does is told by the Redis key
"behave:<first argument>": succeed, swallow, raise, retry or slow. Every run is
noted, with its arguments, in the list "ran:<first argument>".
"""
import json
import os
import time

import redis
from celery import Celery

app = Celery("tinyapp", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ.get("CELERY_RESULT_BACKEND", os.environ["CELERY_BROKER_URL"]))
app.conf.task_track_started = True
for name, value in json.loads(os.environ.get("CELERY_CONF", "{}")).items():
    app.conf[name] = value
side = redis.Redis.from_url(os.environ["SIDE_URL"], decode_responses=True)


def behave(task, subject, **args):
    """Does what the test asked for, and is the one place that knows how."""
    side.rpush("ran:" + subject, json.dumps(args, sort_keys=True))
    how = side.get("behave:" + subject) or "await"
    if how == "retry" and task.request.retries == 0:
        raise task.retry(exc=ValueError("not yet"), countdown=1)
    if how == "raise":
        raise RuntimeError("PDF flatten failed for copy " + subject)
    if how == "swallow":
        return {"status": "error", "copy_id": subject, "detail": "said by the task", "attempt": 1}
    while how in ("await", "slow") and not side.exists("go"):
        time.sleep(0.01)
    return {"status": "done", "copy_id": subject, "final_score": 13.5, "attempt": 1}


@app.task(bind=True, name="grading.tasks.async_finalize_copy")
def finalize(self, copy_id, user_id, lock_token=None):
    """Without a behaviour: waits for the key "go"; then fails for user 0."""
    done = behave(self, copy_id, user_id=user_id, lock_token=lock_token)
    if side.exists("behave:" + copy_id):
        return done
    if user_id == 0:
        raise RuntimeError("no user")
    return {"status": "error", "copy_id": copy_id, "detail": "said by the task", "user": user_id}


if os.environ.get("DIALECT") == "playbook":

    @app.task(bind=True, name="grading.tasks.async_import_pdf")
    def import_pdf(self, copy_id, user_id):
        """Fills a copy that waits for its pages."""
        return behave(self, copy_id, user_id=user_id)

else:

    @app.task(bind=True, name="grading.tasks.async_import_pdf")
    def import_pdf(self, exam_id, pdf_path, user_id, anonymous_id, request_id=None):
        """Makes a copy of a file."""
        return behave(self, exam_id, pdf_path=pdf_path, user_id=user_id, anonymous_id=anonymous_id, request_id=request_id)
