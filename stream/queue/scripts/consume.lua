-- Apply one partition's next records, and move its position with them.
-- ARGV: kind, topic:partition, expected position, next position, records...
local kind, tp = ARGV[1], ARGV[2]

-- Redis was emptied or rolled back meanwhile: what we hold does not follow what it holds.
if (redis.call('HGET', P .. 'offset', tp) or '') ~= ARGV[3] then return 'lost' end

if kind == 'task' then
  for i = 5, #ARGV, 5 do apply_task(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]) end
elseif kind == 'label' then
  for i = 5, #ARGV do apply_label(ARGV[i]) end
else
  for i = 5, #ARGV do
    if redis.call('SREM', P .. 'ahead:' .. tp, record_in(ARGV[i]).offset) == 0 then
      apply_judgement(ARGV[i])
    end
  end
end
redis.call('HSET', P .. 'offset', tp, ARGV[4])
return 'ok'
