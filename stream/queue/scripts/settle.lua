-- Apply what was just committed without waiting for it to come back from Kafka.
-- ARGV: who, undo entry or '', then pairs of kind and record.
-- While a rebuild runs nothing is done: it will read these records itself.
if not is_ready() then return 'rebuilding' end
for i = 3, #ARGV, 2 do
  local record = record_in(ARGV[i + 1])
  if ARGV[i] == 'label' then
    apply_label(ARGV[i + 1])
  elseif record.offset >= tonumber(redis.call('HGET', P .. 'offset', record.tp) or 0) then
    -- Judgements are counted, so each must be applied once: intake skips what is noted here.
    if redis.call('SADD', P .. 'ahead:' .. record.tp, record.offset) == 1 then
      apply_judgement(ARGV[i + 1])
    end
  end
end
if ARGV[2] ~= '' then
  redis.call('LPUSH', P .. 'undo:' .. ARGV[1], ARGV[2])
  redis.call('LTRIM', P .. 'undo:' .. ARGV[1], 0, 49)
end
return 'ok'
