-- Lease particular items to a person. ARGV: who, now, expires, ids...
if not is_ready() then return {{'rebuilding'}} end
-- A bulk decision holds all of its items at once, however many.
MOST_HELD = math.max(MOST_HELD, #ARGV)
local answers = {}
for i = 4, #ARGV do
  answers[#answers + 1] = take(ARGV[i], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
end
return answers
