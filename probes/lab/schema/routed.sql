-- The mark of the generation whose tasks go to the lists "finalize" and "import".
INSERT INTO django_migrations (app, name, applied) VALUES ('grading', '0010_perf_indexes_zf_aud_13', now());
CREATE INDEX event_actor_action_idx ON grading_gradingevent (actor_id, action);
